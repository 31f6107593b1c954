"""A draw that was noted while a past was replayed, and what it would be with other numbers."""

import sys
from typing import Any

import numpy as np

from simdistill.simulation.rng.generator import Generator
from simdistill.simulation.rng.source import BLOCK, Source

_OWN = ("simdistill.simulation.", "simdistill.checker.")


class Draw:
    """One call of a generator's method.

    Args:
        notes: Where it is noted.
        source: Its source, after the draw.
        count: Its number.
        method: Name of the method.
        arguments: Positional arguments, plain.
        named: Named arguments, plain.
        value: What it returned.

    Attributes:
        source: Name of its source.
        line: File and line in the author's code where it was drawn.
        known: Whether the past has revealed it.
        time: Simulated time at which it was drawn.
    """

    __slots__ = (
        *("arguments", "count", "known", "line", "method", "named", "notes", "source", "streams", "time"),
        "value",
    )

    def __init__(
        self, notes: Any, source: Source, count: int, method: str, arguments: tuple, named: dict, value: Any
    ):
        self.notes, self.source, self.streams, self.count = notes, source.name, source.streams, count
        self.method, self.arguments, self.named = method, arguments, named
        self.value, self.known, self.time, self.line = value, False, notes.now, line_of_caller()

    @property
    def uniform(self) -> float:
        """Its uniform number."""
        block, place = divmod(self.count, BLOCK)
        return self.streams.block(self.source, block)[place]

    @property
    def state(self) -> Any:
        """State of the bit generator at its sequence."""
        return Source(self.source, self.streams).state(self.count)

    def __repr__(self) -> str:
        return f"draw {self.count} of {self.source!r}, {self.method}() at {self.line}"


def line_of_caller() -> str:
    """Returns file and line of the innermost frame that isn't this package's."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").startswith(_OWN):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else "?"


class Trial:
    """Tells what draws would be with other numbers.

    Attributes:
        name: As of a source, so that a generator can draw from it.
        placed: Whether the last draw needed more than one uniform number.
    """

    def __init__(self):
        self.name, self.placed = "trial", False
        self._uniform, self._state = 0.0, None
        self._generator = Generator(self)  # type: ignore[arg-type]

    def value(self, draw: Draw, uniform: float, state: Any) -> Any:
        """Returns a draw's value.

        Args:
            draw: The draw.
            uniform: Its uniform number.
            state: State of the bit generator if one number isn't enough.
        """
        self.placed, self._uniform, self._state = False, uniform, state
        return getattr(self._generator, draw.method)(*draw.arguments, **draw.named)

    def key(self) -> int:
        return 0

    def uniform(self) -> float:
        return self._uniform

    def skip(self) -> None:
        pass

    def place(self, bits: Any) -> None:
        self.placed = True
        bits.state = self._state


def proposals(draw: Draw, future: Any) -> np.random.Generator:
    """Returns what proposes uniform numbers for a draw, as a function of future and draw alone."""
    bits = np.random.Philox(key=0)
    bits.state = Source(draw.source, future).state(draw.count, 1)
    return np.random.Generator(bits)
