"""Access to the fields of a run by their dotted names, such as `student.lora.r`."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from simdistill.config.parameters import EACH, ONE, Range
from simdistill.config.plug_ins import SECTIONS, installed
from simdistill.config.run import RunConfig
from simdistill.config.section import SWEPT, Section

TEXT = {str, Path}


def written(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Returns a section's fields by the names that users write; a run's `tasks` is written `task`."""
    return {"task" if name == "tasks" else name: field for name, field in model.model_fields.items()}


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """Returns the class of the section, or list of sections, that a field holds; None for a plain value."""
    held = field.annotation
    if get_origin(held) is list:
        held = get_args(held)[0]
    return held if isinstance(held, type) and issubclass(held, BaseModel) else None


def section_at(
    location: tuple[int | str, ...], model: type[BaseModel], chosen: Mapping[str, type[Section]]
) -> type[BaseModel] | None:
    """Returns the class of the section at a location in a run or another model; None if there is none.

    Args:
        location: Names of fields and indices of lists, from the outside to the inside.
        model: The class at the empty location, such as that of a run.
        chosen: Plug-in's section -> the class that validates it.
    """
    current: type[BaseModel] | None = model
    for depth, part in enumerate(location):
        if part in (ONE, EACH):
            current = Range
        elif depth == 0 and model is RunConfig and part in chosen:
            current = chosen[str(part)]
        elif current is not None and part in written(current):
            current = section_of(written(current)[str(part)])
    return current


def field_at(dotted: str, names: Mapping[str, Sequence[str]]) -> FieldInfo | None:
    """Returns the field of a dotted name, or None; plug-ins' own fields are found, too.

    Args:
        dotted: The field's dotted name.
        names: Plug-in's section -> names of the plug-ins that are searched first.
    """
    section, _, name = dotted.rpartition(".")
    model = section_at(tuple(section.split(".")) if section else (), RunConfig, {})
    found = written(model).get(name) if model else None
    if found is None and section in SECTIONS:
        preferred = names.get(section, ())
        owners = {plug_in: own for plug_in, own in installed(section) if name in own.model_fields}
        owner = next((plug_in for plug_in in preferred if plug_in in owners), next(iter(owners), None))
        found = owners[owner].model_fields[name] if owner else None
    return found


def called(name: str, chosen: Mapping[str, type[Section]]) -> list[str]:
    """Returns the dotted names of the fields called `name` anywhere in a run."""
    return [dotted for dotted, _ in leaves(chosen) if dotted.rpartition(".")[2] == name]


def leaves(chosen: Mapping[str, type[Section]]) -> Iterator[tuple[str, FieldInfo]]:
    """Yields the dotted name and the field of every field of a run that isn't a section.

    Args:
        chosen: Plug-in's section -> the class that validates it.
    """
    yield from _leaves(RunConfig, "", chosen)


def _leaves(
    model: type[BaseModel], prefix: str, chosen: Mapping[str, type[Section]]
) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in written(model).items():
        section = chosen.get(prefix + name) or section_of(field)
        if section is None:
            yield prefix + name, field
        else:
            yield from _leaves(section, f"{prefix}{name}.", chosen)


def is_text(field: FieldInfo) -> bool:
    """Returns whether a field holds only text, possibly null; the text of an override is then its value."""
    return _members(field.annotation) - {NoneType} <= TEXT


def takes_null(field: FieldInfo) -> bool:
    """Returns whether a field may be null."""
    return NoneType in _members(field.annotation)


def is_name(field: FieldInfo) -> bool:
    """Returns whether a text field holds a name; a list of names separated by commas is a sweep."""
    return SWEPT in field.metadata or any(
        SWEPT in get_args(member)[1:]
        for member in get_args(field.annotation)
        if get_origin(member) is Annotated
    )


def _members(annotation: Any) -> set[Any]:
    """Returns the members of a union type, or the type itself, without annotations."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return set().union(*(_members(member) for member in get_args(annotation)))
    return {annotation} if isinstance(annotation, type) else {object}
