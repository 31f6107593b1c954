"""An encoding: states as rows of features, texts and lists of varying length included.

Axes: S states, F features, N coordinates.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from simdistill.simulation.forms.collect import form_of
from simdistill.simulation.forms.form import OTHERS, Column, Fields, Form, Places, Queue, Text
from simdistill.simulation.forms.form import Missing as _Missing
from simdistill.simulation.states import State


@dataclass(frozen=True)
class Encoding:
    """Turns states of one form into features.

    Attributes:
        form: The form that the states have in common.
    """

    form: Fields

    @classmethod
    def of(cls, states: Iterable[State], observes: type | None = None, pool: bool = False) -> "Encoding":
        """Returns the encoding of states; the arguments are those of `form_of`."""
        return cls(form_of(states, observes, pool))

    @property
    def plain(self) -> bool:
        """Whether states consist of a fixed number of numbers, which are then the features."""
        return self.form.plain

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Descriptions of the features (F)."""
        return tuple(self.form.columns("", ()))

    def row(self, state: State) -> list[float]:
        """Returns the features of a state (F).

        Raises:
            InputError: If the state has another form; the message names the field and its value.
        """
        found: list[float] = []
        self.form.put(state, "", found)
        return found

    def matrix(self, states: Sequence[State]) -> np.ndarray:
        """Returns the features of states (S, F)."""
        return np.array([self.row(state) for state in states]).reshape(len(states), len(self.columns))

    def flags(self) -> np.ndarray:
        """Returns whether each feature is always 0 or 1, as those of a category are (F)."""
        return np.array([column.kind == "flag" for column in self.columns], dtype=bool)

    def coordinates(self, states: Sequence[State]) -> np.ndarray:
        """Returns states as points (S, N); a category is one coordinate, the index of its value."""
        values_SF = self.matrix(states)
        points = [
            values_SF[:, places[0]]
            if self.columns[places[0]].of is None
            else values_SF[:, places].argmax(axis=1)
            for places in self._groups
        ]
        return np.stack(points, axis=1) if points else np.zeros((len(states), 0))

    def axes(self, labels: Sequence[str] = ()) -> list[str]:
        """Returns the names of the coordinates (N).

        Args:
            labels: Labels of the choices; they name the entries of lists with as many entries.
        """
        columns = list(self.form.columns("", labels))
        return [
            columns[places[0]].name
            if columns[places[0]].of is None
            else f"{columns[places[0]].of} ({', '.join(_values(columns, places))})"
            for places in self._groups
        ]

    @cached_property
    def _groups(self) -> list[list[int]]:
        """Indices of the features that belong to each coordinate (N)."""
        groups: list[list[int]] = []
        for place, column in enumerate(self.columns):
            same = groups and column.of is not None and self.columns[groups[-1][-1]].of == column.of
            groups[-1].append(place) if same else groups.append([place])
        return groups

    def unreadable(self) -> list[str]:
        """Returns the places of texts with too many values for a category that aren't declared as `Words`."""
        return list(_unreadable(self.form, ""))


def _values(columns: Sequence[Column], places: Sequence[int]) -> list[str]:
    """Returns the values of a category, each after its index, as in "0 red"."""
    values = [columns[place].value for place in places]
    return [f"{n} {value}" for n, value in enumerate(values) if value != OTHERS]


def _unreadable(form: Form, where: str) -> Iterable[str]:
    if isinstance(form, Text) and not form.declared:
        yield where
    parts: Iterable[tuple[Any, str]] = ()
    if isinstance(form, Fields):
        parts = ((part, f"{where}.{name}".removeprefix(".")) for name, part in form.parts.items())
    elif isinstance(form, Places):
        parts = ((part, f"{where}[{place}]") for place, part in enumerate(form.parts))
    elif isinstance(form, Queue):
        parts = ((form.entry, f"{where}[]"),)
    elif isinstance(form, _Missing):
        parts = ((form.value, where),)
    for part, place in parts:
        yield from _unreadable(part, place)
