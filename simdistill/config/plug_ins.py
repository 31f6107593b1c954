"""Sections of plug-ins: each is validated by the class attribute `Config` of the plug-in that it names.

A teacher, method or executor declares a subclass of `TeacherConfig`, `MethodConfig` or `ExecutorConfig` as
`Config`. A plug-in without `Config` has only the shared fields, and so has a policy used as a teacher.
"""

from collections.abc import Callable, Iterator, Set
from typing import Any

from simdistill import registry
from simdistill.config.executor import ExecutorConfig
from simdistill.config.section import Section
from simdistill.config.teacher import TeacherConfig
from simdistill.config.training import DistillConfig, MethodConfig
from simdistill.errors import InputError

OldNames = dict[str, str]
"""Field's old name, as it was written -> its present name."""

SECTIONS: dict[str, tuple[str, type[Section]]] = {
    "teacher": ("teachers", TeacherConfig),
    "method": ("methods", MethodConfig),
    "compute": ("executors", ExecutorConfig),
}
"""Section -> kind of plug-in that the section names, and class of the fields that these plug-ins share."""


def section_class(section: str, name: Any = None) -> type[Section]:
    """Returns the class that validates a plug-in's section.

    Args:
        section: Name of the section.
        name: Name of the plug-in; None for the default one.

    Raises:
        InputError: If the plug-in's `Config` isn't a subclass of the section's shared class.
    """
    kind, shared = SECTIONS[section]
    name = shared.model_fields["name"].default if name is None else name
    try:
        plug_in = registry.load(kind, name) if isinstance(name, str) else None
    except InputError:  # A policy's name or an unknown name; `check_names` tells them apart.
        return shared
    own = getattr(plug_in, "Config", shared)
    if not (isinstance(own, type) and issubclass(own, shared)):
        raise InputError(f"{section}.name: the Config of {name} must be a subclass of {shared.__name__}")
    return own


def chosen(values: dict) -> dict[str, type[Section]]:
    """Returns plug-in's section -> the class that validates it in a run's plain values."""
    return {section: section_class(section, _name(values.get(section))) for section in SECTIONS}


def validating(section: str) -> Callable[[Any], Any]:
    """Returns a function that validates a section's plain values; a text alone is the plug-in's name."""

    def validated(value: Any) -> Any:
        value = named(value)
        return (
            section_class(section, _name(value)).model_validate(value) if isinstance(value, dict) else value
        )

    return validated


def named(value: Any) -> Any:
    """Returns the section `{"name": value}` for a text, which is a plug-in's name; else the value itself."""
    return {"name": value} if isinstance(value, str) else value


def installed(section: str) -> Iterator[tuple[str, type[Section]]]:
    """Yields the name and the section's class of every installed plug-in that a section may name."""
    for name in registry.names(SECTIONS[section][0]):
        try:
            yield name, section_class(section, name)
        except ImportError:  # The plug-in needs a package that isn't installed, so it can't be in use.
            continue


def settle(values: dict, typed: Set[str], old_names: OldNames) -> list[str]:
    """Moves fields to the sections of the plug-ins that own them, and removes fields of unused plug-ins.

    Args:
        values: A run's plain values; changed in place.
        typed: Dotted names of the fields that the user gave for this run; removing one of them is an error.
        old_names: Mapping to which the old names of moved typed fields are added, with their present names.

    Returns:
        One error message for each typed field that belongs to an unused plug-in.
    """
    own = chosen(values)
    if _dictionary(values, "distill").keys() - DistillConfig.model_fields.keys():
        _move(values, own, typed, old_names)
    refused = []
    for section, there in own.items():
        group = _dictionary(values, section)
        for field in sorted(group.keys() - there.model_fields.keys()):
            owners = [name for name, other in installed(section) if field in other.model_fields]
            if owners:
                del group[field]
                if f"{section}.{field}" in typed:
                    refused.append(_refusal(section, field, _name(group), owners))
    return refused


def _move(values: dict, own: dict[str, type[Section]], typed: Set[str], old_names: OldNames) -> None:
    """Moves fields from the groups that had them before plug-ins; drops those the chosen plug-in lacks."""
    for section, there in own.items():
        known: dict[str, set[str]] = {}
        for _, other in installed(section):
            if other.formerly:
                known.setdefault(other.formerly, set()).update(other.model_fields)
        for place, fields in known.items():
            group, _, last = place.rpartition(".")
            for field, value in _dictionary(_dictionary(values, group), last).items():
                if field in fields and not (there.formerly == place and field in there.model_fields):
                    continue
                old, new = f"{place}.{field}", f"{section}.{field}"
                if old in typed:
                    old_names[old] = new
                if new not in typed:
                    _section(values, section)[field] = value
            _dictionary(values, group).pop(last, None)


def _refusal(section: str, field: str, name: Any, owners: list[str]) -> str:
    name = SECTIONS[section][1].model_fields["name"].default if name is None else name
    return (
        f"{section}.{field} is a field of {section}={' or '.join(owners)}, and {section}={name} hasn't got "
        f"it; leave it out, or choose {section}={owners[0]}"
    )


def _section(values: dict, section: str) -> dict:
    """Returns a plug-in's section for writing, which is made if needed; a text becomes the plug-in's name."""
    group = values.get(section)
    if not isinstance(group, dict):
        values[section] = group = {} if group is None else {"name": group}
    return group


def _dictionary(values: dict, group: str) -> dict:
    """Returns a group of fields for reading and removing; a new empty one if there is none."""
    found = values.get(group)
    return found if isinstance(found, dict) else {}


def _name(group: Any) -> Any:
    return group.get("name") if isinstance(group, dict) else group
