"""Past streams in which some draws belong to the future."""

from collections.abc import Mapping
from dataclasses import dataclass

from simdistill.simulation.rng.source import BLOCK, Numbered

Again = Mapping[str, Mapping[int, tuple[float, int]]]
"""Source -> number of a draw -> its new uniform number, and which of the future's sequences it has."""


@dataclass(frozen=True)
class Redrawn:
    """The streams of a past before a branch, with the draws that are drawn again.

    Attributes:
        past: Streams of the past.
        future: Streams of the future.
        again: What is drawn again.
    """

    past: Numbered
    future: Numbered
    again: Again

    @property
    def path(self) -> tuple[int, ...]:
        """Seed path of the past."""
        return self.past.path

    def block(self, source: str, number: int) -> list[float]:
        """Returns the uniform numbers of a source from `BLOCK * number` on."""
        numbers, first = self.past.block(source, number), BLOCK * number
        again = self.again.get(source, {})
        if any(first <= count < first + BLOCK for count in again):
            numbers = list(numbers)
            for count, (uniform, _) in again.items():
                if first <= count < first + BLOCK:
                    numbers[count - first] = uniform
        return numbers

    def sequence(self, source: str, count: int) -> tuple[tuple[int, ...], int]:
        """Returns seed path and number of the sequence of a draw."""
        again = self.again.get(source, {}).get(count)
        return self.past.sequence(source, count) if again is None else (self.future.path, again[1])
