"""Forms of states: which values the states of a process hold, and the features that are made of them.

A number is one feature. A category has a feature for each of its values and, unless its values were declared,
one for all other values. A value that may be missing also has a feature that says whether it is given. A list
of varying length, such as a queue, has as features its length; the sum, the least and the greatest value of
each feature of its entries; and the features of its first entries. A sum counts the entries of a category and
gives the load, extremes give the longest wait, and the first entries are those that come next. Entries
further back enter only into the sum and the extremes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pydantic

from simdistill.errors import InputError

PLACES = 4
"""Number of first entries of a list of varying length that have features of their own."""
OTHERS = "others"
"""Name of the feature for all other values of a category."""


@dataclass(frozen=True)
class Column:
    """A feature.

    Attributes:
        name: Name of the feature in words.
        kind: "number" for a number that every state has, "flag" for 0 or 1, and "extra" for numbers that may
            be missing or come from lists of varying length.
        value: The value of a category for which the feature is 1; None for other features.
        of: Name of that category; None for other features.
    """

    name: str
    kind: Literal["number", "flag", "extra"]
    value: str | None = None
    of: str | None = None


class _Form(pydantic.BaseModel):
    """The form of a value in a state; each kind of form is a subclass."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    def put(self, value: Any, where: str, out: list[float]) -> None:
        """Adds the features of a value to `out`.

        Args:
            value: The value.
            where: Place of the value in the state, for messages.
            out: List to which the features are added.

        Raises:
            InputError: If the value has another form; the message names the value and its place.
        """
        raise NotImplementedError

    def columns(self, name: str, labels: Sequence[str]) -> Iterator[Column]:
        """Yields descriptions of the features, in their order.

        Args:
            name: Name of the value in words.
            labels: Labels of the choices; they name the entries of lists with as many entries.
        """
        raise NotImplementedError

    @property
    def width(self) -> int:
        """Number of features."""
        return sum(1 for _ in self.columns("", ()))

    @property
    def plain(self) -> bool:
        """Whether the value consists of a fixed number of numbers."""
        return False

    @property
    def optional(self) -> bool:
        """Whether the value may be missing."""
        return False


class Number(_Form):
    """A number, or a truth value."""

    form: Literal["number"] = "number"

    def put(self, value: Any, where: str, out: list[float]) -> None:
        if not isinstance(value, int | float):
            raise wrong(where, value, "a number is expected here")
        out.append(float(value))

    def columns(self, name: str, labels: Sequence[str]) -> Iterator[Column]:
        yield Column(name, "number")

    @property
    def plain(self) -> bool:
        return True


class Category(_Form):
    """One of some values.

    Attributes:
        values: The known values; if None is one of them, the value may be missing.
        others: Whether other texts are possible, too; they share one feature.
    """

    form: Literal["category"] = "category"
    values: tuple[str | bool | int | None, ...]
    others: bool = True

    def place(self, value: Any, where: str) -> int:
        """Returns the index of a value among the known ones, and their number for other texts."""
        for place, known in enumerate(self.values):
            if value == known and (value is None) == (known is None):
                return place
        if self.others and isinstance(value, str):
            return len(self.values)
        known = ", ".join(map(repr, self.values[:10]))
        raise wrong(where, value, f"expected {'a text' if self.others else f'one of {known}'}")

    def put(self, value: Any, where: str, out: list[float]) -> None:
        first = len(out)
        out.extend([0.0] * self.width)
        out[first + self.place(value, where)] = 1.0

    def columns(self, name: str, labels: Sequence[str]) -> Iterator[Column]:
        shown = ["none" if value is None else str(value) for value in self.values]
        for value in [*shown, OTHERS] if self.others else shown:
            yield Column(f"{name} is {value}", "flag", value, name)

    @property
    def width(self) -> int:
        return len(self.values) + self.others

    @property
    def optional(self) -> bool:
        return None in self.values


class Text(_Form):
    """Text, or a list of texts, that is no category: no features are made of it.

    Attributes:
        many: Whether the value is a list of texts.
        declared: Whether the author declared it as `Words`, which are only there to be read.
    """

    form: Literal["text"] = "text"
    many: bool = False
    declared: bool = False

    def put(self, value: Any, where: str, out: list[float]) -> None:
        if (isinstance(value, str) and not self.many) or (value is None and self.declared):
            return
        if not (self.many and isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)):
            raise wrong(where, value, "a list of texts is expected" if self.many else "a text is expected")

    def columns(self, name: str, labels: Sequence[str]) -> Iterator[Column]:
        return iter(())

    @property
    def optional(self) -> bool:
        return self.declared


class Missing(_Form):
    """A value that may be missing."""

    form: Literal["missing"] = "missing"
    value: "Form"

    def put(self, value: Any, where: str, out: list[float]) -> None:
        out.append(float(value is not None))
        if value is None:
            out.extend([0.0] * self.value.width)
        else:
            self.value.put(value, where, out)

    def columns(self, name: str, labels: Sequence[str]) -> Iterator[Column]:
        yield Column(f"{name} is given", "flag")
        yield from _extra(self.value.columns(name, labels))

    @property
    def optional(self) -> bool:
        return True


class Fields(_Form):
    """A dictionary whose names are known."""

    form: Literal["fields"] = "fields"
    parts: dict[str, "Form"]

    def put(self, value: Any, where: str, out: list[float]) -> None:
        if not isinstance(value, Mapping):
            raise wrong(where, value, "a dictionary is expected here")
        found = 0
        for name, part in self.parts.items():
            place = f"{where}.{name}" if where else name
            if name in value:
                found += 1
                part.put(value[name], place, out)
            elif part.optional:
                part.put(None, place, out)
            else:
                raise InputError(
                    f"{place} is missing in the state {_short(dict(value))}; it was always there"
                )
        if found < len(value):
            name = next(name for name in value if name not in self.parts)
            place = f"{where}.{name}" if where else name
            raise wrong(place, value[name], f"only {', '.join(self.parts)} are known here")

    def columns(self, name: str, labels: Sequence[str]) -> Iterator[Column]:
        for field, part in self.parts.items():
            yield from part.columns(f"{name} {field}".strip(), labels)

    @property
    def plain(self) -> bool:
        return all(part.plain for part in self.parts.values())


class Places(_Form):
    """A list that always has the same length."""

    form: Literal["places"] = "places"
    parts: tuple["Form", ...]

    def put(self, value: Any, where: str, out: list[float]) -> None:
        if not isinstance(value, list | tuple):
            raise wrong(where, value, "a list is expected here")
        if len(value) != len(self.parts):
            raise wrong(
                where,
                value,
                f"it has {len(value)} entries and had {len(self.parts)} before; declare it as a list in "
                "`observes` if its length may vary",
            )
        for place, (part, entry) in enumerate(zip(self.parts, value, strict=True)):
            part.put(entry, f"{where}[{place}]", out)

    def columns(self, name: str, labels: Sequence[str]) -> Iterator[Column]:
        fitting = len(labels) == len(self.parts)
        for place, part in enumerate(self.parts):
            yield from part.columns(f"{name} at {labels[place] if fitting else place + 1}", labels)

    @property
    def plain(self) -> bool:
        return all(part.plain for part in self.parts)


class Queue(_Form):
    """A list of varying length, whose entries all have the same form."""

    form: Literal["queue"] = "queue"
    entry: "Form"

    def put(self, value: Any, where: str, out: list[float]) -> None:
        if not isinstance(value, list | tuple):
            raise wrong(where, value, "a list is expected here")
        rows: list[list[float]] = []
        for place, entry in enumerate(value):
            rows.append([])
            self.entry.put(entry, f"{where}[{place}]", rows[-1])
        nothing = [0.0] * self.entry.width
        out.append(float(len(rows)))
        for summary in (sum, min, max):
            out.extend(map(summary, zip(*rows, strict=True)) if rows else nothing)
        for place in range(PLACES):
            out.append(float(place < len(rows)))
            out.extend(rows[place] if place < len(rows) else nothing)

    def columns(self, name: str, labels: Sequence[str]) -> Iterator[Column]:
        yield Column(f"{name} length", "extra")
        entry = list(self.entry.columns("", labels))
        for summary in ("sum", "least", "greatest"):
            yield from (Column(f"{name} {summary} {column.name}".strip(), "extra") for column in entry)
        for place in range(1, PLACES + 1):
            yield Column(f"{name} at {place} is given", "flag")
            yield from _extra(self.entry.columns(f"{name} at {place}", labels))


Form = Annotated[
    Number | Category | Text | Missing | Fields | Places | Queue, pydantic.Field(discriminator="form")
]
for _recursive in (Missing, Fields, Places, Queue):
    _recursive.model_rebuild()


def wrong(where: str, value: Any, reason: str) -> InputError:
    """Returns the error for a value that can't be encoded."""
    return InputError(f"the state's {where or 'value'} = {_short(value)} can't be encoded: {reason}")


def _extra(columns: Iterator[Column]) -> Iterator[Column]:
    """Yields descriptions of features that only some states have: their numbers are of the kind "extra"."""
    for column in columns:
        kind = "extra" if column.kind == "number" else column.kind
        yield Column(column.name, kind)


def _short(value: Any) -> str:
    """Returns a value as text, in at most 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
