"""Composes a run's configuration from a task's YAML file and overrides.

    simdistill run task=queueing student.lora.r=8 seed=0,1,2

Every field has a default, can be set in the task's file, and can be overridden on the command line.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from simdistill import registry
from simdistill.config.names import check_names
from simdistill.config.overrides import runs
from simdistill.config.plug_ins import SECTIONS, OldNames, named
from simdistill.config.renames import rename
from simdistill.config.run import RunConfig
from simdistill.config.task_files import folders, is_file, reason, task_file, tasks
from simdistill.config.validated import validated
from simdistill.errors import InputError

log = logging.getLogger(__name__)

RUN, SELF = "run", "_self_"
"""Entries of a task's `defaults`: `run` stands for the fields' default values, `_self_` for the file."""


def compose(overrides: Sequence[str], check: bool = True, saved: bool = False) -> list[RunConfig]:
    """Returns the configuration of one run, or of each run of a sweep such as `seed=0,1,2`, in its order.

    Args:
        overrides: Texts such as `seed=1`; one of them must be `task=NAME` or `task=folder/name.yaml`.
        check: Whether simulator, policies, teacher, method and student must exist.
        saved: Whether the overrides come from a saved file; then old field names cause no warning.

    Raises:
        InputError: If a name or field is unknown, or a value has a wrong type or is out of bounds.
    """
    old_names: OldNames = {}
    configs = [_composed(values, check, old_names) for values in runs(overrides, old_names)]
    if not saved:
        for old, new in old_names.items():
            log.warning("%s is now called %s; the old name still works", old, new)
    if len(configs) > 1 and len({config.output for config in configs} - {None}) == 1:
        raise InputError(
            f"output={configs[0].output}: {len(configs)} runs can't share a folder; leave output out"
        )
    return configs


def _composed(values: Mapping[str, Any], check: bool, old_names: OldNames) -> RunConfig:
    """Returns the configuration of one run of a sweep."""
    task = values.get("task")
    if not task:
        raise InputError(f"no task given: add task=NAME; available: {', '.join(tasks()) or 'none'}")
    overrides = {key: value for key, value in values.items() if key != "task"}
    plain = _plain(task_file(task), overrides, old_names)
    config, refused = validated(plain, f"task={task}", {*typed(overrides)}, old_names)
    if check:
        check_names(config)
    if refused:
        raise InputError("; ".join(refused))
    return config


def _plain(path: Path, overrides: Mapping[str, Any], old_names: OldNames) -> dict[str, Any]:
    """Returns a task's fields with the overrides applied, as plain values that aren't validated yet."""
    composed = _layers(path, (), old_names)
    for key, value in overrides.items():
        try:
            OmegaConf.update(composed, key, value)
        except (OmegaConfBaseException, ValueError, IndexError) as error:
            raise InputError(f"{key}={value}: there is no such field in {path}: {reason(error)}") from None
    try:
        return OmegaConf.to_container(composed, resolve=True)  # type: ignore[return-value]
    except OmegaConfBaseException as error:
        raise InputError(f"{path}: {reason(error)}") from None


def _layers(path: Path, below: tuple[Path, ...], old_names: OldNames) -> DictConfig:
    """Returns the fields of a task's file, merged in order with those of the tasks that its `defaults` name.

    Args:
        path: The file.
        below: The files whose `defaults` led to this file.
        old_names: Mapping to which old field names in the file are added, with their present names.
    """
    if path in below:
        raise InputError(f"{path}: its defaults lead back to the file itself; remove one of these entries")
    own = _file(path)
    old_names.update((f"{path}: {old}", new) for old, new in rename(own))
    names = own.pop("defaults", [RUN, SELF])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{path}: defaults must be a list of names, as in [{RUN}, {SELF}]; it is {names!r}")
    merged = OmegaConf.create({})
    for name in names if SELF in names else [*names, SELF]:
        if name != RUN:
            layer = own if name == SELF else _layers(_default(name, path), (*below, path), old_names)
            merged = OmegaConf.merge(merged, layer)
    return merged  # type: ignore[return-value]


def _file(path: Path) -> dict[str, Any]:
    """Returns the fields in a task's file; a plug-in's name alone is expanded to a section."""
    try:
        values = OmegaConf.to_container(OmegaConf.load(path))
    except (OSError, UnicodeDecodeError, OmegaConfBaseException, yaml.YAMLError) as error:
        raise InputError(f"{path}: can't be read as YAML: {reason(error)}") from None
    if not isinstance(values, dict):
        raise InputError(f"{path}: must be a mapping of fields, as in task: …")
    return {
        str(key): named(value) if key in (*SECTIONS, "student") else value for key, value in values.items()
    }


def _default(name: str, path: Path) -> Path:
    """Returns the file of a task that the `defaults` of the file at `path` name."""
    for folder in (path.parent, *folders()):
        if is_file(found := folder / f"{name}.yaml"):
            return found
    raise InputError(f"{path}: defaults: {registry.unknown('task', name, [RUN, *tasks()])}")


def typed(overrides: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yields the dotted names of all fields that overrides set.

    Args:
        overrides: Field -> value; a value may be a group of fields.
        prefix: Beginning of all names.
    """
    for key, value in overrides.items():
        if isinstance(value, dict):
            yield from typed(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"
