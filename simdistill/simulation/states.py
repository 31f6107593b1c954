"""States, which `observe` returns: their numbers, their keys, and copies of them.

Texts, missing values and lists of varying length become features in `simdistill.simulation.forms`: fits,
exact tables, Gymnasium observations, decision maps and served states all use those, and therefore agree on
which features a state has, and in which order. The features of a state of numbers alone are its numbers.
Axes: S states, N numbers of a state.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

State = Mapping[str, Any]
"""What a decider observes: JSON-able values with string keys."""


def numbers(state: State) -> list[float]:
    """Returns the numbers of a state, in the order in which they stand in it; texts are left out."""
    found: list[float] = []
    _collect(state.values(), found)
    return found


def matrix(states: Sequence[State]) -> np.ndarray:
    """Returns the numbers of states of one form that hold nothing but numbers (S, N)."""
    return np.array([numbers(state) for state in states])


def key(state: State, choices: Sequence[str] = ()) -> tuple:
    """Returns a hashable key, which is the same for decisions with equal states and choices, and no others.

    Numbers of the same value are equal, however they are written. Texts, missing values, the names of fields
    and the lengths of lists count.
    """
    found: list[Any] = [tuple(state)]
    _mark(state.values(), found)
    return (*found, *choices)


def fresh(value: Any) -> Any:
    """Returns a copy of a state, or of a part of it, that shares no list and no dictionary with it."""
    if isinstance(value, dict):
        return {name: fresh(part) for name, part in value.items()}
    if isinstance(value, list):
        return [fresh(part) for part in value]
    if isinstance(value, tuple):
        return tuple(fresh(part) for part in value)
    return value


def names(state: State, labels: Sequence[str] = ()) -> list[str]:
    """Names the numbers of a state, in the order of `numbers`.

    Args:
        state: A state, e.g. `{"jobs": [2, 0], "next": 3.5}`.
        labels: Labels of the choices; they name the entries of lists that have as many.

    Returns:
        Words such as `["jobs at A", "jobs at B", "next"]`.
    """
    return [name for field, value in state.items() for name in _named(field, value, labels)]


def entries(values: Sequence[Any], labels: Sequence[str]) -> list[str]:
    """Names the entries of a list in a state: by the choices where there are as many, else from 1 on."""
    return list(labels) if len(values) == len(labels) else [str(n + 1) for n in range(len(values))]


def _named(name: str, value: Any, labels: Sequence[str]) -> Iterator[str]:
    if isinstance(value, dict):
        for field, part in value.items():
            yield from _named(f"{name} {field}", part, labels)
    elif isinstance(value, list | tuple):
        for label, part in zip(entries(value, labels), value, strict=True):
            yield from _named(f"{name} at {label}", part, labels)
    elif isinstance(value, int | float):
        yield name


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


def _mark(values: Iterable[Any], found: list[Any]) -> None:
    """Adds values to a key; those in a list follow its length, those in a dictionary follow its names."""
    for value in values:
        kind = type(value)  # the usual ones first: this runs at every decision
        if kind is int or kind is float or kind is str:
            found.append(value)
        elif kind is list or isinstance(value, list | tuple):
            found.append((len(value),))
            _mark(value, found)
        elif isinstance(value, dict):
            found.append(tuple(value))
            _mark(value.values(), found)
        else:
            found.append(value)
