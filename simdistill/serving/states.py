"""What a live state must look like: learned from the states that training showed."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

MOST_WORDS = 50
"""Different texts of one field beyond which the ones that were seen aren't a list of what there is."""

TYPES = {"boolean": bool, "integer": int, "number": int | float, "string": str, "array": list, "object": dict}


@dataclass
class Shape:
    """A part of a state: its type, and what training showed of it.

    Attributes:
        type: As JSON Schema calls it; `number` may be whole or not, "" was never seen.
        nullable: Whether it may be null.
        low, high: Least and greatest number.
        decimals: The most decimals that a number had, up to 6; 0 for whole ones.
        whole: Whether whole numbers stood for `number`s; if not, a live one is written with a point, as
            training's were.
        words: Different texts.
        lengths: Least and greatest length of a list.
        items: The entries of a list: one shape for each place if the length is always the same, else one.
        parts: The fields of an object.
        needed: Names of the fields that every object has.
    """

    type: str = ""
    nullable: bool = False
    low: float = math.inf
    high: float = -math.inf
    decimals: int = 0
    whole: bool = False
    words: tuple[str, ...] = ()
    lengths: tuple[int, int] = (0, 0)
    items: list["Shape"] = field(default_factory=list)
    parts: dict[str, "Shape"] = field(default_factory=dict)
    needed: tuple[str, ...] = ()

    @property
    def fixed(self) -> bool:
        """Whether a list has one length, and so a meaning for each of its places."""
        return self.lengths[0] == self.lengths[1]

    def item(self, place: int) -> "Shape":
        """Returns the shape of a list's entry."""
        if self.fixed:
            return self.items[place]
        return self.items[0] if self.items else Shape()

    def schema(self) -> dict[str, Any]:
        """Returns it as JSON Schema; `training` is what training showed, which a live state may leave."""
        schema: dict[str, Any] = {}
        if self.type:
            schema["type"] = [self.type, "null"] if self.nullable else self.type
        if self.type in ("integer", "number"):
            schema["training"] = {"minimum": self.low, "maximum": self.high, "decimals": self.decimals}
        elif self.type == "string":
            schema["training"] = {"values": list(self.words)}
        elif self.type == "array":
            schema["training"] = {"minItems": self.lengths[0], "maxItems": self.lengths[1]}
            if self.fixed:
                schema |= {"minItems": self.lengths[0], "maxItems": self.lengths[1]}
                if self.items:
                    schema["prefixItems"] = [item.schema() for item in self.items]
            else:
                schema["items"] = self.items[0].schema() if self.items else {}
        elif self.type == "object":
            schema["properties"] = {name: part.schema() for name, part in self.parts.items()}
            schema |= {"required": list(self.needed), "additionalProperties": False}
        return schema

    def read(self, value: Any, place: str, wrong: list[str]) -> Any:
        """Returns a live value as training would have written it; adds what is wrong with it to `wrong`."""
        if (value is None and self.nullable) or not self.type:
            return value
        if self.type == "integer" and isinstance(value, float) and value.is_integer():
            value = int(value)  # 3.0 is a whole number in JSON
        if not isinstance(value, TYPES[self.type]) or (isinstance(value, bool) and self.type != "boolean"):
            wrong.append(f"{place} = {_shown(value)}: must be {_a(self.type)}")
        elif isinstance(value, list):
            return self._list(value, place, wrong)
        elif isinstance(value, dict):
            return self._object(value, place, wrong)
        elif self.type in ("integer", "number"):
            return self._number(value, place, wrong)
        return value

    def _number(self, value: Any, place: str, wrong: list[str]) -> Any:
        try:
            as_float = float(value)
        except OverflowError:  # a whole number of more than 308 digits
            as_float = math.inf
        if not math.isfinite(as_float):
            wrong.append(f"{place} = {_shown(value)}: must be a finite number")
            return value
        return as_float if self.type == "number" and not self.whole else value

    def _list(self, value: list, place: str, wrong: list[str]) -> list:
        if self.fixed and len(value) != self.lengths[0]:
            expected = f"{self.lengths[0]} entr{'y' if self.lengths[0] == 1 else 'ies'}"
            wrong.append(f"{place} = {_shown(value)}: must have {expected}, not {len(value)}")
            return value
        return [self.item(n).read(entry, f"{place}[{n}]", wrong) for n, entry in enumerate(value)]

    def _object(self, value: dict, place: str, wrong: list[str]) -> dict:
        inside = f"{place}." if place else ""
        for name, entry in value.items():
            if name not in self.parts:
                wrong.append(f"{inside}{name} = {_shown(entry)}: unknown; known: {', '.join(self.parts)}")
        for name in self.needed:
            if name not in value:
                wrong.append(f"{inside}{name}: missing; must be {_a(self.parts[name].type or 'value')}")
        # In the order of training: teachers read a state's numbers as they stand in it.
        return {
            name: part.read(value[name], f"{inside}{name}", wrong)
            for name, part in self.parts.items()
            if name in value
        }

    def outside(self, value: Any, place: str = "") -> Iterator[str]:
        """Says where a value that was read leaves what training showed."""
        if value is None:
            return
        if self.type in ("integer", "number"):
            if not self.low <= value <= self.high:
                yield f"{place} = {value:.12g}, training had {self._range()}"
        elif self.type == "string":
            if value not in self.words and len(self.words) < MOST_WORDS:
                yield f"{place} = {_shown(value)}, training had {', '.join(self.words)}"
        elif self.type == "array":
            low, high = self.lengths
            if not low <= len(value) <= high:
                yield f"{place} has {len(value)} entries, training had {low} to {high}"
            for number, entry in enumerate(value):
                yield from self.item(number).outside(entry, f"{place}[{number}]")
        elif self.type == "object":
            for name, entry in value.items():
                yield from self.parts[name].outside(entry, f"{place}.{name}" if place else name)

    def beyond(self, value: Any, times: float) -> bool:
        """Whether a number in a value that was read is so many times as large as any in training."""
        if isinstance(value, list):
            return any(self.item(place).beyond(entry, times) for place, entry in enumerate(value))
        if isinstance(value, dict):
            return any(self.parts[name].beyond(entry, times) for name, entry in value.items())
        if self.type in ("integer", "number") and value is not None:
            return abs(value) > times * max(1.0, abs(self.low), abs(self.high))
        return False

    def _range(self) -> str:
        return f"{self.low:g}" if self.low == self.high else f"{self.low:g} to {self.high:g}"


def shape(values: Sequence[Any]) -> Shape:
    """Returns the shape of values that stand in the same place, at least one of them not null."""
    nullable = any(value is None for value in values)
    values = [value for value in values if value is not None]
    if not values:
        return Shape(nullable=nullable)
    if all(isinstance(value, bool) for value in values):
        return Shape("boolean", nullable)
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return _numbers(values, nullable)
    if all(isinstance(value, str) for value in values):
        return Shape("string", nullable, words=tuple(sorted(set(values))[:MOST_WORDS]))
    if all(isinstance(value, list) for value in values):
        return _lists(values, nullable)
    if all(isinstance(value, dict) for value in values):
        return _objects(values, nullable)
    return Shape(nullable=nullable)  # of different types: nothing is known


def middle(numbers_SN: np.ndarray) -> int:
    """Returns which of S states is nearest to their mean, in standard deviations of their N numbers."""
    spread_N = numbers_SN.std(axis=0)
    away_SN = np.abs(numbers_SN - numbers_SN.mean(axis=0)) / np.where(spread_N > 0, spread_N, 1.0)
    return int(away_SN.sum(axis=1).argmin())


def _numbers(values: Sequence[Any], nullable: bool) -> Shape:
    whole = any(isinstance(value, int) for value in values)
    kind = "integer" if all(isinstance(value, int) for value in values) else "number"
    decimals = max(_decimals(value) for value in values)
    return Shape(
        nullable=nullable, type=kind, low=min(values), high=max(values), decimals=decimals, whole=whole
    )


def _decimals(value: float) -> int:
    return next((n for n in range(6) if round(value, n) == value), 6)


def _lists(values: Sequence[list], nullable: bool) -> Shape:
    lengths = min(map(len, values)), max(map(len, values))
    if lengths[0] == lengths[1]:
        items = [shape(column) for column in zip(*values, strict=True)]
    else:
        items = [shape([entry for value in values for entry in value])]
    return Shape("array", nullable, lengths=lengths, items=items)


def _objects(values: Sequence[dict], nullable: bool) -> Shape:
    names = dict.fromkeys(name for value in values for name in value)
    parts = {name: shape([value[name] for value in values if name in value]) for name in names}
    needed = tuple(name for name in names if all(name in value for value in values))
    return Shape("object", nullable, parts=parts, needed=needed)


def _a(kind: str) -> str:
    return {"integer": "a whole number", "array": "a list", "object": "an object"}.get(kind, f"a {kind}")


def _shown(value: Any) -> str:
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
