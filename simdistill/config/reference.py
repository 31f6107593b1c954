"""Descriptions of all fields of a run, for the documentation."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from simdistill.config.fields import leaves
from simdistill.config.plug_ins import SECTIONS, installed

TYPES = {
    str: "text",
    Path: "path",
    bool: "true or false",
    int: "integer",
    float: "number",
    NoneType: "null",
    Any: "any value",
}
SIGNS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


@dataclass(frozen=True)
class Described:
    """The description of a field of a run.

    Attributes:
        name: The field's dotted name, such as `student.lora.r`.
        owners: Names of the plug-ins that own the field; empty for a field that every run has.
        type: The type of its values in words, such as "integer or null".
        bounds: The bounds of a number, such as "≥ 1"; empty without bounds.
        default: The default value as JSON; None if the field must be given.
        meaning: The meaning of the field, with its unit.
    """

    name: str
    owners: tuple[str, ...]
    type: str
    bounds: str
    default: str | None
    meaning: str


def fields() -> Iterator[Described]:
    """Yields the descriptions of the fields that every run has, then those of installed plug-ins' fields."""
    shared = {section: common for section, (_, common) in SECTIONS.items()}
    for name, field in leaves(shared):
        yield described(name, field)
    for section, common in shared.items():
        owners: dict[Described, list[str]] = {}
        for plug_in, own in installed(section):
            for name, field in own.model_fields.items():
                if name not in common.model_fields:
                    owners.setdefault(described(f"{section}.{name}", field), []).append(plug_in)
        for own_field, names in owners.items():
            yield replace(own_field, owners=tuple(names))


def described(name: str, field: FieldInfo) -> Described:
    """Returns the description of a field under a name; its owners are left empty."""
    default = field.get_default(call_default_factory=True)
    return Described(
        name=name,
        owners=(),
        type=_type(field.annotation),
        bounds=", ".join(_bounds(field.metadata) or _bounds(_inner(field.annotation))),
        default=None if field.is_required() else json.dumps(default, default=str),
        meaning=field.description or "",
    )


def _type(annotation: Any) -> str:
    """Returns a type in words."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(inner[0])
    if origin in (Union, UnionType):
        return " or ".join(_type(member) for member in inner)
    if origin is Literal:
        return " or ".join(map(str, inner))
    if origin is list:
        return f"list of {_type(inner[0])}"
    if origin is dict:
        return f"mapping of names to {_type(inner[1])}"
    return TYPES.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _bounds(metadata: Any) -> list[str]:
    found = [(sign, getattr(each, name, None)) for each in metadata for name, sign in SIGNS.items()]
    return [f"{sign} {bound:g}" for sign, bound in found if bound is not None]


def _inner(annotation: Any) -> list[Any]:
    """Returns the annotations of a union's members."""
    return [each for member in get_args(annotation) for each in get_args(member)[1:]]
