"""Changes of a run's configuration: overrides of a saved one, and the fields in which two of them differ."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from simdistill.config.compose import typed
from simdistill.config.names import check_names
from simdistill.config.overrides import runs
from simdistill.config.run import RunConfig
from simdistill.config.task_files import reason
from simdistill.config.validated import validated
from simdistill.errors import InputError


def changed(config: RunConfig, overrides: Sequence[str], source: str) -> RunConfig:
    """Returns a run's configuration with overrides such as `threads=2`.

    Args:
        config: The run's configuration.
        overrides: The overrides; `task=NAME` must name the run's task.
        source: The run, for error messages.

    Raises:
        InputError: If a field is unknown, or a value has a wrong type, is out of bounds or makes a sweep.
    """
    found = list(runs(overrides, {}))
    if len(found) > 1:
        raise InputError(f"{source} is one run; give one value for each field, not {len(found)} combinations")
    values = found[0]
    task = values.pop("task", config.task.name)
    if task != config.task.name:
        raise InputError(f"{source} is a run of task {config.task.name}, not {task}; leave task= out")
    composed = OmegaConf.create(_literal(config.model_dump(mode="json")))
    try:
        for key, value in values.items():
            OmegaConf.update(composed, key, value)
        plain = OmegaConf.to_container(composed, resolve=True)
    except (OmegaConfBaseException, ValueError, IndexError) as error:
        raise InputError(f"{' '.join(overrides)}: {reason(error)}") from None
    assert isinstance(plain, dict)
    wanted, refused = validated(plain, source, {*typed(values)})  # type: ignore[arg-type]
    if refused:
        raise InputError("; ".join(refused))
    check_names(wanted)
    return wanted


def differences(before: RunConfig, after: RunConfig) -> dict[str, tuple[Any, Any]]:
    """Returns dotted name -> values before and after, of the fields in which two configurations differ.

    The value of a field that a configuration doesn't have is None.
    """
    old, new = dict(_leaves(before.model_dump(mode="json"))), dict(_leaves(after.model_dump(mode="json")))
    return {
        name: (old.get(name), new.get(name))
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
    }


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _literal(value: Any) -> Any:
    """Returns saved values in which `${` is text and begins no interpolation."""
    if isinstance(value, dict):
        return {key: _literal(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_literal(each) for each in value]
    return value.replace("${", r"\${") if isinstance(value, str) else value
