"""Validates plain values as a run's configuration."""

from collections.abc import Set

from pydantic import ValidationError

from simdistill import registry
from simdistill.config.explained import explained
from simdistill.config.plug_ins import SECTIONS, OldNames, chosen, settle
from simdistill.config.run import RunConfig
from simdistill.errors import InputError


def validated(
    values: dict, source: str, typed: Set[str] = frozenset(), old_names: OldNames | None = None
) -> tuple[RunConfig, list[str]]:
    """Returns the configuration that plain values describe, and messages about fields of unused plug-ins.

    Args:
        values: A run's fields as plain values; changed in place.
        source: The origin of the values, for error messages.
        typed: Dotted names of the fields that the user gave for this run.
        old_names: Mapping to which the old names of moved typed fields are added, with their present names.

    Raises:
        InputError: If a field is unknown, of a wrong type or out of bounds; the message has a line for each.
    """
    refused = settle(values, typed, {} if old_names is None else old_names)
    try:
        return RunConfig.model_validate(values), refused
    except ValidationError as error:
        _check_installed(values, error, source)
        raise InputError(f"{source}:{explained(error, RunConfig, chosen=chosen(values))}") from None


def _check_installed(values: dict, error: ValidationError, source: str) -> None:
    """Raises an `InputError` if a section with unknown fields names a plug-in that isn't installed.

    The section `teacher` is left out, as it may name a policy of the simulator instead of a plug-in.
    """
    unknown = {item["loc"][0] for item in error.errors() if item["type"] == "extra_forbidden"}
    for section in unknown & (SECTIONS.keys() - {"teacher"}):
        kind, name = SECTIONS[str(section)][0], values[section].get("name")
        if isinstance(name, str) and ":" not in name and name not in registry.names(kind):
            known = registry.names(kind)
            raise InputError(
                f"{source}: {section}.name: {registry.unknown(registry.KINDS[kind], name, known)}"
            )
