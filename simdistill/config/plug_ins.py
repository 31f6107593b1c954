"""Which class validates a section whose fields belong to a plug-in: the `Config` of what the section names.

A teacher, method or executor declares a subclass of `TeacherConfig`, `MethodConfig` or `ExecutorConfig` as
its class attribute `Config`. A plug-in without one, and a policy that teaches, has the shared fields alone.
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
"""Names of fields as they were written -> their present names."""

SECTIONS: dict[str, tuple[str, type[Section]]] = {
    "teacher": ("teachers", TeacherConfig),
    "method": ("methods", MethodConfig),
    "compute": ("executors", ExecutorConfig),
}
"""Section -> the kind of plug-in that it names, and the fields that all of that kind share."""


def section_class(section: str, name: Any = None) -> type[Section]:
    """Returns the class that validates a section which names a plug-in; None for the default plug-in.

    Raises:
        InputError: When the plug-in's `Config` isn't a subclass of the shared section.
    """
    kind, shared = SECTIONS[section]
    name = shared.model_fields["name"].default if name is None else name
    try:
        plug_in = registry.load(kind, name) if isinstance(name, str) else None
    except InputError:  # A policy's name, or an unknown one: `check_names` says which.
        return shared
    own = getattr(plug_in, "Config", shared)
    if not (isinstance(own, type) and issubclass(own, shared)):
        raise InputError(f"{section}.name: the Config of {name} must be a subclass of {shared.__name__}")
    return own


def chosen(values: dict) -> dict[str, type[Section]]:
    """Returns the class of each plug-in's section in a run's plain values."""
    return {section: section_class(section, _name(values.get(section))) for section in SECTIONS}


def validating(section: str) -> Callable[[Any], Any]:
    """Returns what makes a section of plain values; a text alone is the plug-in's name."""

    def validated(value: Any) -> Any:
        value = named(value)
        return (
            section_class(section, _name(value)).model_validate(value) if isinstance(value, dict) else value
        )

    return validated


def named(value: Any) -> Any:
    """Returns the section that a text alone stands for, which is its name; anything else as it is."""
    return {"name": value} if isinstance(value, str) else value


def installed(section: str) -> Iterator[tuple[str, type[Section]]]:
    """Yields the name and class of every installed plug-in that a section may name."""
    for name in registry.names(SECTIONS[section][0]):
        try:
            yield name, section_class(section, name)
        except ImportError:  # It needs what isn't installed, so nobody uses it.
            continue


def settle(values: dict, typed: Set[str], old_names: OldNames) -> list[str]:
    """Moves fields to the plug-ins that own them and removes those of other plug-ins, in place.

    Args:
        values: A run's plain values.
        typed: Dotted names of the fields that the user typed for this run, which can't be ignored silently.
        old_names: Typed fields that were somewhere else are added here, with their present names.

    Returns:
        What is wrong with typed fields that another plug-in owns, in words.
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
    """Moves fields from where they were before plug-ins owned them; drops those the chosen one hasn't got."""
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
    """Returns a plug-in's section for writing; a text alone was the plug-in's name."""
    group = values.get(section)
    if not isinstance(group, dict):
        values[section] = group = {} if group is None else {"name": group}
    return group


def _dictionary(values: dict, group: str) -> dict:
    """Returns a group of fields for reading and removing; an empty one where there is none."""
    found = values.get(group)
    return found if isinstance(found, dict) else {}


def _name(group: Any) -> Any:
    return group.get("name") if isinstance(group, dict) else group
