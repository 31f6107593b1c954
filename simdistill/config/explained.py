"""Validation errors in words: the field, its value, the problem, and the field that was probably meant."""

import difflib
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from simdistill.config.fields import called, section_at, written
from simdistill.config.parameters import EACH, ONE
from simdistill.config.run import RunConfig
from simdistill.config.section import Section

Location = tuple[int | str, ...]
Chosen = Mapping[str, type[Section]]


def explained(
    error: ValidationError, model: type[BaseModel], prefix: Location = (), chosen: Chosen | None = None
) -> str:
    """Returns a validation error in words, one line for each problem.

    Args:
        error: The error.
        model: The class that refused the values.
        prefix: Location of the class's values in the run's fields.
        chosen: Plug-in's section -> the class that validates it.
    """
    lines = [_line(item, model, prefix, chosen or {}) for item in error.errors()]
    return f" {lines[0]}" if len(lines) == 1 else "".join(f"\n  {line}" for line in lines)


def unknown_field(dotted: str, available: list[str], chosen: Chosen) -> str:
    """Returns the message for a field that doesn't exist.

    Args:
        dotted: The field's dotted name.
        available: Names of the fields in the group where the field was looked for.
        chosen: Plug-in's section -> the class that validates it.
    """
    *group, name = dotted.split(".")
    near = difflib.get_close_matches(name, available, n=1, cutoff=0.5)
    close = [".".join([*group, near[0]])] if near else called(name, chosen)
    meant = f"; did you mean '{close[0]}'?" if close else ""
    return f"no field '{dotted}'; available: {', '.join(available) or 'none'}{meant}"


def _line(item: Any, model: type[BaseModel], prefix: Location, chosen: Chosen) -> str:
    location = _as_written(item["loc"]) if model is RunConfig else item["loc"]
    field = _dotted((*prefix, *location))
    if item["type"] == "extra_forbidden":
        return unknown_field(field, _fields(location[:-1], model, chosen), chosen)
    if item["type"] == "missing":
        return f"{field}: must be given"
    if item["type"] in ("model_type", "model_attributes_type"):
        fields = _fields(location, model, chosen)
        names = ", ".join(f"{field}.{name}" for name in fields) if fields else "a mapping"
        return f"{field}: {item['input']!r} isn't a group of fields; set one of {names}"
    message = item["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{field}: {message}" if item["type"] == "value_error" else f"{field}: {item['input']!r} {message}"


def _fields(location: Location, model: type[BaseModel], chosen: Chosen) -> list[str]:
    """Returns the names of the fields at a location."""
    section = section_at(location, model, chosen)
    return list(written(section)) if section else []


def _as_written(location: Location) -> Location:
    """Returns a location in a run with the names that users write: `task` for the only task."""
    return ("task", *location[2:]) if location[:1] == ("tasks",) else location


def _dotted(location: Location) -> str:
    return ".".join(str(part) for part in location if part not in (ONE, EACH))
