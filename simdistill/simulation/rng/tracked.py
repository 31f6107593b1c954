"""Numbers that remember which draws they were made of, and how.

A model works with them as with floats and ints. What is worked out from them with plain numbers, or from
several of them, remembers it, too; `math.sqrt`, `int()` and arrays lose it.
"""

import math
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

DEEPEST = 50
"""Operations in a row that are remembered; running totals are longer, and nothing waits for these."""


class Made:
    """How a number was made.

    Args:
        function: Of the numbers that the arguments stand for; None for a draw's own value.
        arguments: Numbers, tracked numbers and others; a draw's own value has the draw in its place.
        depth: Operations in a row.
    """

    __slots__ = ("arguments", "depth", "function")

    def __init__(self, function: Callable | None, arguments: tuple, depth: int):
        self.function, self.arguments, self.depth = function, arguments, depth

    def draws(self) -> Iterator[Any]:
        """Yields the draws that the number was made of."""
        if self.function is None:
            yield self.arguments[0]
        for argument in self.arguments:
            if isinstance(argument, Made):
                yield from argument.draws()

    def value(self, values: Mapping[Any, Any]) -> Any:
        """Returns what the number would be.

        Args:
            values: Draw -> its value; draws that are missing keep theirs.
        """
        if self.function is None:
            draw = self.arguments[0]
            return values.get(draw, draw.value)
        return self.function(*(a.value(values) if isinstance(a, Made) else a for a in self.arguments))


def made_of(number: Any) -> Made | None:
    """Returns how a number was made, None if it isn't tracked."""
    return number.made if isinstance(number, Tracked | TrackedInt) else None


def plain(number: Any) -> Any:
    """Returns a tracked number as a plain one; anything else as it is."""
    if isinstance(number, Tracked):
        return float(number)
    return int(number) if isinstance(number, TrackedInt) else number


def tracked(value: Any, made: Made) -> Any:
    """Returns a number that remembers how it was made, or the value itself if it is no number."""
    if made.depth > DEEPEST:
        return value
    if isinstance(value, float | np.floating):
        return Tracked(value, made)
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return TrackedInt(value, made)
    return value


def _worked_out(function: Callable, arguments: tuple) -> Any:
    """Applies a function of plain numbers to numbers some of which are tracked."""
    values = tuple(plain(argument) for argument in arguments)
    result = function(*values)
    if not all(isinstance(value, int | float | np.generic | None) for value in values):
        return result
    parts = [made_of(argument) for argument in arguments]
    depth = 1 + max(part.depth for part in parts if part is not None)
    mixed = tuple(v if part is None else part for v, part in zip(values, parts, strict=True))
    return tracked(result, Made(function, mixed, depth))


class _Operations:
    """What tracked floats and ints have in common."""

    made: Made | None

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **named: Any) -> Any:
        if method == "__call__" and not named:
            return _worked_out(ufunc, inputs)
        return getattr(ufunc, method)(*(plain(one) for one in inputs), **named)

    def __round__(self, digits: int | None = None) -> Any:
        return _worked_out(round, (self, digits))

    def __reduce__(self) -> tuple:
        return type(plain(self)), (plain(self),)

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict) -> Any:
        return self


class Tracked(_Operations, float):
    """A float that remembers how it was made."""

    def __new__(cls, value: Any, made: Made) -> "Tracked":
        number = super().__new__(cls, value)
        number.made = made
        return number

    __hash__ = float.__hash__


class TrackedInt(_Operations, int):
    """An int that remembers how it was made."""

    def __new__(cls, value: Any, made: Made) -> "TrackedInt":
        number = super().__new__(cls, value)
        number.made = made
        return number

    __hash__ = int.__hash__


def _forwards(function: Callable) -> Callable:
    def operation(self: Any, *others: Any) -> Any:
        if all(isinstance(other, int | float) for other in others):
            return _worked_out(function, (self, *others))
        return NotImplemented if others else function(plain(self))

    return operation


def _backwards(function: Callable) -> Callable:
    def operation(self: Any, other: Any) -> Any:
        return _worked_out(function, (other, self)) if isinstance(other, int | float) else NotImplemented

    return operation


def _compared(function: Callable) -> Callable:
    def operation(self: Any, other: Any) -> Any:
        if not isinstance(other, int | float):
            return getattr(plain(self), f"__{function.__name__}__")(other)
        outcome = function(plain(self), plain(other))
        for one in (self, other):
            if (made := made_of(one)) is not None:
                next(made.draws()).notes.compared(function, self, other, outcome)
                break
        return outcome

    return operation


for _kind in (Tracked, TrackedInt):
    for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
        setattr(_kind, f"__{_name}__", _forwards(getattr(operator, _name)))
        setattr(_kind, f"__r{_name}__", _backwards(getattr(operator, _name)))
    for _name, _function in (
        ("neg", operator.neg),
        ("pos", operator.pos),
        ("abs", abs),
        ("floor", math.floor),
        ("ceil", math.ceil),
        ("trunc", math.trunc),
    ):
        setattr(_kind, f"__{_name}__", _forwards(_function))
    for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
        setattr(_kind, f"__{_name}__", _compared(getattr(operator, _name)))
