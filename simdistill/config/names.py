"""Checks that everything a configuration names exists."""

from pydantic import ValidationError

from simdistill import registry
from simdistill.config.explained import explained
from simdistill.config.overrides import exists
from simdistill.config.run import RunConfig
from simdistill.errors import InputError


def check_names(config: RunConfig) -> None:
    """Checks that everything a configuration names exists, and that the default parameters are valid.

    Raises:
        InputError: If a name doesn't exist; the message has the available names and the closest one.
    """
    simulator = registry.load("simulators", config.task.simulator)
    if not hasattr(simulator, "Params"):
        raise InputError(f"task.simulator: {config.task.simulator} isn't a process model; it has no Params")
    policies = ["random", *registry.policies(config.task.simulator)]
    _check_name("policy", "task.heuristic", config.task.heuristic, policies)
    for name in config.task.policies:
        _check_name("policy", "task.policies", name, policies)
    _check_name("policy", "teacher.base", config.teacher.base, policies)
    _check_name("teacher", "teacher.name", config.teacher.name, registry.names("teachers") + policies)
    registered = config.teacher.name in registry.names("teachers") or ":" in config.teacher.name
    teacher = registry.load("teachers", config.teacher.name) if registered else None
    if config.task.reference is not None:
        if config.task.reference == "teacher" and not getattr(teacher, "everywhere", True):
            raise InputError(
                f"task.reference: teacher={config.teacher.name} is examined with the default parameters "
                "only, so nothing can be compared with it elsewhere; leave task.reference out, or name a "
                "policy"
            )
        references = ["optimum", "teacher", *config.task.policies]
        _check_name("policy", "task.reference", config.task.reference, references)
    _check_name("method", "method", config.method.name, registry.names("methods"))
    if learns_from(config.method.name):
        check_teacher_model(config)
    _check_name("executor", "compute", config.compute.name, registry.names("executors"))
    for kind in config.distill.kinds:
        _check_name("kind of question", "distill.kinds", kind, registry.names("questions"))
    for metric in config.evaluation.metrics or []:
        _check_name("metric", "evaluation.metrics", metric, registry.names("metrics"))
    _check_model("student.name", config.student.name)
    if getattr(teacher, "loads_model", False):
        _check_model("teacher.model", config.teacher.model or "")
    try:
        simulator.Params.model_validate(config.task.parameters.default)
    except ValidationError as error:
        place = ("task", "parameters", "default")
        raise InputError(f"task={config.task.name}:{explained(error, simulator.Params, place)}") from None


def learns_from(method: str) -> str | None:
    """Returns words for what a method learns from a language model beside answers; None for other methods."""
    return getattr(registry.load("methods", method), "learns_from", None)


def check_teacher_model(config: RunConfig) -> None:
    """Checks that a run has a local language model, whose hidden states and probabilities are accessible.

    Raises:
        InputError: If the run has no language model, or only an endpoint.
    """
    method, what = config.method.name, learns_from(config.method.name) or "hidden states or probabilities"
    base_url = getattr(config.teacher, "base_url", None)
    if config.teacher.model is None:
        raise InputError(
            f"method={method} learns from a language model's {what}; set teacher.model, or use method=kd"
        )
    if base_url is not None:
        raise InputError(
            f"method={method} learns from a language model's {what}, and teacher.base_url="
            f"{base_url} gives answers alone; set teacher.model to a folder or hub name and "
            "teacher.base_url to null, or use method=kd"
        )


def _check_name(noun: str, field: str, name: str, available: list[str]) -> None:
    if name not in available and ":" not in name:
        raise InputError(f"{field}: {registry.unknown(noun, name, dict.fromkeys(available))}")


def _check_model(field: str, name: str) -> None:
    if "/" not in name and not exists(name):
        _check_name("student", field, name, registry.names("students"))
