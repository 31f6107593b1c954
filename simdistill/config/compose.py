"""The settings of a run, composed by Hydra from a task's YAML file and overrides.

    simdistill run task=queueing student.lora.r=8 seed=0,1,2

A task is a YAML file that begins with `defaults: [run, _self_]`; `run` holds the defaults written here, so
every field can be set in the file and overridden on the command line. Tasks come from the folder `tasks/` and
the current folder of the user, then from simdistill itself.
"""

import difflib
import itertools
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from simdistill import registry
from simdistill.config.settings import EACH, ONE, Range, RunConfig
from simdistill.errors import InputError
from simdistill.files import write_text

FORMER = {
    ("teacher", "moderate"): False,
    ("distill", "balanced"): False,
    ("distill", "grpo", "again"): True,
}
"""What runs did before there was a field to say so, where its default is something else."""


def compose(overrides: list[str], check: bool = True) -> list[RunConfig]:
    """Composes one run, or several where an override sweeps (`seed=0,1,2`), in the sweep's order.

    Args:
        overrides: Hydra overrides; `task=NAME`, or `task=folder/name.yaml`, is needed.
        check: Whether simulator, policies, teacher, method and student must exist.

    Raises:
        InputError: When anything is unknown, of a wrong type or out of bounds; one line per error.
    """
    configs = []
    for task, rest in _runs(overrides):
        config = _validated(_composed(task, rest), f"task={task}")
        if check:
            check_names(config)
        configs.append(config)
    if len(configs) > 1 and len({config.output for config in configs} - {None}) == 1:
        raise InputError(
            f"output={configs[0].output}: {len(configs)} runs can't share a folder; leave it out"
        )
    return configs


class _Dumper(yaml.SafeDumper):
    """Text with a next-line character between double quotes, which escape it; else it is read as a space."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style='"' if "\x85" in text else None
    ),
)


def save(config: RunConfig, path: Path | str) -> None:
    """Writes a run's resolved configuration as YAML."""
    values = config.model_dump(mode="json")
    write_text(path, yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True))


def load_config(path: Path | str) -> RunConfig:
    """Reads what `save` wrote; a field that it lacks is newer than the run, and has what the run did.

    Raises:
        InputError: When the file is missing, isn't YAML, or doesn't describe a run.
    """
    values = read_yaml(Path(path))
    for (*sections, field), value in FORMER.items():
        section: Any = values
        for name in sections:
            section = section.get(name) if isinstance(section, dict) else None
        if isinstance(section, dict):
            section.setdefault(field, value)
    return _validated(values, str(path))


def tasks() -> dict[str, Path]:
    """All tasks by name; the user's own go before simdistill's."""
    found = {}
    for folder in reversed(_folders()):
        for path in sorted(folder.glob("*.yaml")):
            if _is_task(path):
                found[path.stem] = path
    return dict(sorted(found.items()))


def describe_task(path: Path) -> str:
    """A task's one line."""
    return str((read_yaml(path).get("task") or {}).get("description", ""))


def check_names(config: RunConfig) -> None:
    """Checks that all that a configuration names exists, and that the simulator takes its default parameters.

    Raises:
        InputError: With what is available and what was probably meant.
    """
    simulator = registry.load("simulators", config.task.simulator)
    if not hasattr(simulator, "Params"):
        raise InputError(f"task.simulator: {config.task.simulator} isn't a process model; it has no Params")
    policies = ["random", *registry.policies(config.task.simulator)]
    _check_name("policy", "task.heuristic", config.task.heuristic, policies)
    for name in config.task.policies:
        _check_name("policy", "task.policies", name, policies)
    if config.task.reference is not None:
        if config.task.reference == "teacher" and config.teacher.name == "endpoint":
            raise InputError(
                "task.reference: an endpoint is examined with the default parameters only, so nothing can be "
                "compared with it elsewhere; leave task.reference out, or name a policy"
            )
        references = ["optimum", "teacher", *config.task.policies]
        _check_name("policy", "task.reference", config.task.reference, references)
    _check_name("policy", "teacher.base", config.teacher.base, policies)
    _check_name("teacher", "teacher.name", config.teacher.name, registry.names("teachers") + policies)
    _check_name("method", "method", config.method, registry.names("methods"))
    if config.method in FROM_A_MODEL:
        check_teacher_model(config)
    _check_model("student.name", config.student.name)
    if config.teacher.name == "hf":
        _check_model("teacher.model", config.teacher.model or "")
    try:
        simulator.Params.model_validate(config.task.parameters.default)
    except ValidationError as error:
        place = ("task", "parameters", "default")
        raise InputError(f"task={config.task.name}:{_explained(error, simulator.Params, place)}") from None


FROM_A_MODEL = {"hidden": "hidden states", "opd": "probabilities"}
"""What each method learns that a search can't teach."""


def check_teacher_model(config: RunConfig) -> None:
    """Checks that a run has a language model whose hidden states and probabilities can be learned.

    Raises:
        InputError: If there is none, or only an endpoint.
    """
    what = FROM_A_MODEL.get(config.method, "hidden states or probabilities")
    if config.teacher.model is None:
        raise InputError(
            f"method={config.method} learns from a language model's {what}; set teacher.model, or use "
            "method=kd"
        )
    if config.teacher.base_url is not None:
        raise InputError(
            f"method={config.method} learns from a language model's {what}, and teacher.base_url="
            f"{config.teacher.base_url} gives answers alone; set teacher.model to a folder or hub name and "
            "teacher.base_url to null, or use method=kd"
        )


def _check_name(noun: str, field: str, name: str, available: list[str]) -> None:
    if name not in available and ":" not in name:
        raise InputError(f"{field}: {registry.unknown(noun, name, dict.fromkeys(available))}")


def _check_model(field: str, name: str) -> None:
    if not Path(name).is_dir() and "/" not in name:
        _check_name("student", field, name, registry.names("students"))


def _folders() -> list[Path]:
    """Where tasks are looked for, first come first served."""
    return [Path.cwd() / "tasks", Path.cwd(), Path(str(files("simdistill.tasks")))]


def _is_task(path: Path) -> bool:
    """Whether a YAML file is a task: other tools leave theirs in the current folder, too."""
    try:
        return {"task", "defaults"} <= read_yaml(path).keys()
    except InputError:
        return False


def read_yaml(path: Path) -> dict:
    """Reads a mapping of fields.

    Raises:
        InputError: When the file is missing or isn't one.
    """
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: can't be read as YAML: {_reason(error)}") from None
    if not isinstance(value, dict):
        raise InputError(
            f"{path}: must be a mapping of fields, as in {next(iter(RunConfig.model_fields))}: …"
        )
    return value


def _task_file(task: str) -> Path:
    """The file of a task given by name or path."""
    if task.endswith((".yaml", ".yml")):
        path = Path(task).resolve()
        if not path.is_file():
            raise InputError(f"task={task}: there is no file {path}")
        return path
    for folder in _folders():
        if (path := folder / f"{task}.yaml").is_file():
            return path
    raise InputError(registry.unknown("task", task, tasks()))


def _runs(overrides: list[str]) -> Iterator[tuple[str, list[str]]]:
    """The task and the remaining overrides of each run of a sweep."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        parsed = OverridesParser.create().parse_overrides(overrides)
        variants = [list(_variants(override)) for override in parsed]
    except HydraException as error:
        raise InputError(f"can't read the overrides {' '.join(overrides)}: {_reason(error)}") from None
    for combination in itertools.product(*variants):
        chosen = dict(combination)
        task = chosen.pop("task", "")
        if task[:1] in ("'", '"'):
            task = task[1:-1]
        if not task:
            raise InputError(f"no task given: add task=NAME; available: {', '.join(tasks()) or 'none'}")
        yield task, [f"{key}={value}" for key, value in chosen.items()]


def _variants(override: Any) -> Iterator[tuple[str, str]]:
    """The (key, value) pairs that one Hydra override stands for, as text."""
    key = override.get_key_element()
    if override.is_delete() or override.is_add() or override.is_force_add():
        raise InputError(f"{override.input_line}: write field=value, without + or ~")
    if key.split(".")[0] not in RunConfig.model_fields:
        raise InputError(f"{override.input_line}: {_unknown_field(key, RunConfig)}")
    if not override.is_sweep_override():
        value = override.get_value_element_as_str()
        yield _spelled_out(key, value), value
        return
    if not override.is_discrete_sweep():
        raise InputError(f"{override.input_line}: sweep over values, as in seed=0,1,2 or seed=range(3)")
    for value in override.sweep_string_iterator():
        yield _spelled_out(key, value), value


def _spelled_out(key: str, value: str) -> str:
    """The field that `teacher=hf` means; `teacher={name: hf}` stays as it is."""
    return f"{key}.name" if key in ("teacher", "student") and not value.startswith("{") else key


def _composed(task: str, overrides: list[str]) -> dict:
    """What Hydra makes of a task's file, the defaults and the overrides: plain values, not yet validated."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.core.config_store import ConfigStore
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    path = _task_file(task)
    ConfigStore.instance().store(name="run", node=_defaults(RunConfig), provider="simdistill")
    places = [
        _quoted(f"file://{folder}") for folder in _folders() if folder.is_dir() and folder != path.parent
    ]
    try:
        with initialize_config_dir(config_dir=str(path.parent), version_base="1.3"):
            composed = hydra_compose(
                path.stem,
                # "++" lets unknown keys through to pydantic, which says what was probably meant.
                [f"hydra.searchpath=[{','.join(places)}]"] + [f"++{override}" for override in overrides],
            )
            return OmegaConf.to_container(composed, resolve=True)  # type: ignore[return-value]
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        raise InputError(f"{path}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """What Hydra says, on one line and without its pointers to its manual."""
    return "; ".join(line.strip() for line in str(error).splitlines() if line.strip() and "://" not in line)


def _quoted(text: str) -> str:
    """A string in the grammar of Hydra's overrides."""
    escaped = text.replace("'", r"\'")
    return f"'{escaped}'"


def _defaults(model: type[BaseModel]) -> dict:
    """A model's defaults as plain values; fields that must be given are left out."""
    values = {}
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            values[name] = _defaults(field.annotation)
        elif not field.is_required():
            values[name] = field.get_default(call_default_factory=True)
    return values


def _validated(values: dict, source: str) -> RunConfig:
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        raise InputError(f"{source}:{_explained(error, RunConfig)}") from None


def _explained(error: ValidationError, model: type[BaseModel], prefix: tuple[str, ...] = ()) -> str:
    """A validation error in words: one line per error, with the field, its value and its bound."""
    lines = [_explain(item, model, prefix) for item in error.errors()]
    return f" {lines[0]}" if len(lines) == 1 else "".join(f"\n  {line}" for line in lines)


def _explain(item: Any, model: type[BaseModel], prefix: tuple[str, ...]) -> str:
    field = _dotted((*prefix, *item["loc"]))
    if item["type"] == "extra_forbidden":
        return _unknown_field(field, _model_at(model, item["loc"][:-1]))
    if item["type"] == "missing":
        return f"{field}: must be given"
    if item["type"] in ("model_type", "model_attributes_type"):
        fields = _model_at(model, item["loc"])
        names = ", ".join(f"{field}.{name}" for name in fields.model_fields) if fields else "a mapping"
        return f"{field}: {item['input']!r} isn't a group of fields; set one of {names}"
    message = item["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{field}: {item['input']!r} {message}" if item["type"] != "value_error" else f"{field}: {message}"


def _unknown_field(field: str, model: type[BaseModel] | None) -> str:
    """The message for a field that doesn't exist; `model` is the group that should hold it."""
    *group, name = field.split(".")
    available = list(model.model_fields) if model else []
    close = difflib.get_close_matches(name, available, n=1, cutoff=0.5) or _leaves_called(name)
    meant = (
        f"; did you mean '{'.'.join([*group, close[0]]) if close[0] in available else close[0]}'?"
        if close
        else ""
    )
    return f"no field '{field}'; available: {', '.join(available) or 'none'}{meant}"


def _leaves_called(name: str, model: type[BaseModel] = RunConfig, prefix: str = "") -> list[str]:
    """Dotted names of the fields called `name` anywhere in a run's configuration."""
    found = []
    for field, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            found += _leaves_called(name, info.annotation, f"{prefix}{field}.")
        elif field == name:
            found.append(prefix + field)
    return found


def _model_at(model: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The model that describes the fields at a location of an error."""
    current: type[BaseModel] | None = model
    for part in location:
        if part in (ONE, EACH):
            current = Range
        elif current is not None and part in current.model_fields:
            annotation = current.model_fields[str(part)].annotation
            current = (
                annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
            )
    return current


def _dotted(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location if part not in (ONE, EACH))
