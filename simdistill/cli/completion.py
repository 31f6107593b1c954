"""What a shell completes words of the command line to: fields, their values, runs, simulators."""

import json
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from pathlib import Path
from typing import TypeVar

import typer

Found = TypeVar("Found")
Completion = tuple[str, str]
"""A completed word, and what a shell may show beside it."""

NAMES = {
    "teacher": "teachers",
    "method": "methods",
    "student": "students",
    "compute": "executors",
    "evaluation.metrics": "metrics",
}
"""Field, or section whose `name` may be left out -> the kind of plug-in that it names."""


def _or_nothing(complete: Callable[..., list[Found]]) -> Callable[..., list[Found]]:
    """Makes a function return nothing where it fails: a traceback would stand in the user's command line."""

    @wraps(complete)
    def completed(*arguments: object, **named: object) -> list[Found]:
        try:
            return complete(*arguments, **named)
        except Exception:
            return []

    return completed


@_or_nothing
def overrides(ctx: typer.Context, incomplete: str) -> list[Completion]:
    """Returns completions of an override: a field with its "=", or a field's values.

    Bash takes "=" for a word of its own, so that the value alone is completed after it. Other shells complete
    the whole word.
    """
    words = list(ctx.params.get("overrides") or [])
    fields = _fields(resumes=ctx.info_name == "run")
    if (field := _separate(words)) is not None:
        return [(value, "") for value in _values(field, fields) if value.startswith(incomplete)]
    field, equals, _ = incomplete.partition("=")
    named = [name for name in fields if name.startswith(field)]
    if equals or len(named) == 1:
        # With the "=" alone as a second completion, shells don't end the word after the only value.
        field = field if equals else named[0]
        whole = [(f"{field}=", fields.get(field, ("", ""))[1])] if not equals else []
        found = [*whole, *((f"{field}={value}", "") for value in _values(field, fields))]
        return [one for one in found if one[0].startswith(incomplete)]
    return [(f"{name}=", fields[name][1]) for name in named]


@_or_nothing
def runs(incomplete: str) -> list[str]:
    """Returns the folders of runs in `outputs/`, and folders that begin with the incomplete path."""
    found = [str(path.parent) for path in sorted(Path("outputs").glob("*/*/config.yaml"), reverse=True)]
    begun = Path(incomplete)
    parent = begun if incomplete.endswith("/") else begun.parent
    folders = [f"{path}/" for path in sorted(parent.glob("*")) if path.is_dir()] if incomplete else []
    return [path for path in dict.fromkeys([*found, *folders]) if path.startswith(incomplete)]


@_or_nothing
def simulators(incomplete: str) -> list[str]:
    """Returns the names of simulators."""
    from simdistill import registry

    return [name for name in registry.names("simulators") if name.startswith(incomplete)]


@_or_nothing
def simulators_and_tasks(incomplete: str) -> list[str]:
    """Returns the names of simulators and tasks."""
    from simdistill import config

    return [*simulators(incomplete), *(name for name in config.tasks() if name.startswith(incomplete))]


def _separate(words: Sequence[str]) -> str | None:
    """Returns the field whose value is completed alone; None if a whole override is completed.

    Args:
        words: The words before the incomplete one. If that one is "=", it is given as empty.
    """
    if len(words) > 1 and words[-1] == "=":
        return words[-2]
    whole = not words or "=" in words[-1] or (len(words) > 1 and words[-2] == "=")
    return None if whole else words[-1]


def _fields(resumes: bool) -> dict[str, Completion]:
    """Returns field's name -> its default value as JSON, empty without one, and its meaning.

    Args:
        resumes: Whether `resume=RUN` is possible.
    """
    from simdistill import config

    found = {"task": ("", "the task that is learned")}
    found |= {"resume": ("", "a run that goes on")} if resumes else {}
    found |= {section: ("", f"name of the {section}") for section in NAMES if "." not in section}
    found |= {one.name: (one.default or "", one.meaning) for one in config.fields()}
    return found


def _values(field: str, fields: dict[str, Completion]) -> Iterable[str]:
    """Returns values of a field: the names that it may have, or else its default."""
    from simdistill import config, registry

    if field == "task":
        return list(config.tasks())
    if field == "resume" and field in fields:
        return runs("")
    if (kind := NAMES.get(field.removesuffix(".name"))) is not None:
        return registry.names(kind)
    default = fields.get(field, ("", ""))[0]
    if default in ("true", "false"):
        return ["true", "false"]
    text = json.loads(default) if default.startswith('"') else default
    return [text] if text else []
