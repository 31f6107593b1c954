"""States: what `observe` returns, and the numbers in it."""

from collections.abc import Iterable
from typing import Any


def numbers(state: dict) -> list[float]:
    """Returns the numbers of a state in the order in which they stand in it."""
    found: list[float] = []
    _collect(state.values(), found)
    return found


def _collect(values: Iterable[Any], found: list[float]) -> None:
    """Adds the numbers among values and in their lists and dictionaries."""
    for value in values:
        kind = type(value)  # the usual ones first: this runs at every decision
        if kind is float:
            found.append(value)
        elif kind is int:
            found.append(float(value))
        elif kind is list or isinstance(value, list | tuple):
            _collect(value, found)
        elif isinstance(value, dict):
            _collect(value.values(), found)
        elif isinstance(value, int | float):
            found.append(float(value))
