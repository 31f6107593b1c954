"""Draws that a past hasn't revealed, and drawing them again given what it has."""

from collections.abc import Mapping, Sequence
from typing import Any

from simdistill.simulation.rng.draw import Draw, Trial, proposals
from simdistill.simulation.rng.noting import Comparison, Notes, Wait
from simdistill.simulation.rng.redrawn import Again
from simdistill.simulation.rng.source import Numbered, Source

TRIES = 1000
"""Times that a draw is tried again in one future; after that the old value stays."""

GRID = 33
"""Places at which it is looked whether what is possible is an interval."""


class Hidden:
    """Draws that are drawn again together, because timeouts were made of several of them.

    Given that each timeout lasts longer than it is known to have lasted, every value is possible. The draw of
    a method that has a quantile is then uniform over those uniform numbers whose value is possible, mostly an
    interval, which is found by bisection. Otherwise numbers are tried until they are possible (rejection).

    Args:
        draws: What is drawn again.
        waits: The timeouts.
        time: Up to when timeouts are known to last that somebody still waits for.
        comparisons: Comparisons that must come out as they did.
    """

    def __init__(
        self,
        draws: Sequence[Draw],
        waits: Sequence[Wait],
        time: float,
        comparisons: Sequence[Comparison] = (),
    ):
        self.draws, self.waits, self.time, self.comparisons = tuple(draws), tuple(waits), time, comparisons
        self._trial = Trial()
        self._interval = self._found() if len(self.draws) == 1 else (0.0, 1.0)

    def again(self, future: Numbered) -> dict[tuple[str, int], tuple[float, int]] | None:
        """Draws again for a future, as a function of the future and the draws alone.

        Returns:
            Source and number -> uniform number and number of the sequence; None if the tries were used up.
        """
        low, high = self._interval
        numbers = {draw: proposals(draw, future) for draw in self.draws}
        sources = {draw: Source(draw.source, future) for draw in self.draws}
        for number in range(TRIES):
            chosen = {draw: low + (high - low) * numbers[draw].random() for draw in self.draws}
            states = {draw: sources[draw].state(draw.count, number + 2) for draw in self.draws}
            values = {draw: self._trial.value(draw, chosen[draw], states[draw]) for draw in self.draws}
            if self.possible(values):
                return {(draw.source, draw.count): (chosen[draw], number + 2) for draw in self.draws}
        return None

    def compared(self) -> list[Comparison]:
        """Returns all comparisons in which the draws took part."""
        return _about(self.draws, self.draws[0].notes.comparisons)

    def given(self, comparisons: Sequence[Comparison]) -> "Hidden":
        """Returns the same with other comparisons that must come out as they did."""
        return Hidden(self.draws, self.waits, self.time, comparisons)

    def possible(self, values: Mapping[Draw, Any]) -> bool:
        """Whether the past would have been the same with other values of the draws."""
        for wait in self.waits:
            until = self.time if wait.left is None else wait.left
            if not wait.start + float(wait.made.value(values)) > until:
                return False
        return all(comparison.comes_out(values) for comparison in self.comparisons)

    def _found(self) -> tuple[float, float]:
        """The interval of uniform numbers that are possible; all of them where they aren't one."""
        (draw,) = self.draws
        own, state = draw.uniform, draw.state

        def possible(u: float) -> bool:
            return self.possible({draw: self._trial.value(draw, u, state)})

        if not possible(own) or self._trial.placed:
            return 0.0, 1.0
        most = 1.0 - 2.0**-53
        low = 0.0 if possible(0.0) else _edge(possible, 0.0, own)
        high = 1.0 if possible(most) else _edge(possible, most, own)
        for step in range(GRID):
            u = (step + 0.5) / GRID
            if not low <= u <= high and possible(u):
                return 0.0, 1.0
        return low, high


def _edge(possible: Any, outside: float, inside: float) -> float:
    """The last number that is possible between one that is and one that isn't."""
    while True:
        middle = 0.5 * (outside + inside)
        if middle in (outside, inside):
            return inside
        if possible(middle):
            inside = middle
        else:
            outside = middle


def hidden_in(notes: Notes, time: float) -> list[Hidden]:
    """Returns the groups of draws that a past hasn't revealed at a time."""
    waiting, comparisons = [], []
    for wait in notes.waits:
        if wait.left is not None or not (wait.event.callbacks is None or wait.end <= time):
            waiting.append(wait)
        elif wait.limit is not None:
            comparisons.append(
                wait.limit
            )  # it was as long as the limit: only that the number is past it is known
        else:
            for draw in wait.made.draws():
                draw.known = True
    groups: list[tuple[list[Draw], list[Wait]]] = []
    for wait in waiting:
        draws = [draw for draw in dict.fromkeys(wait.made.draws()) if not draw.known]
        if draws:
            joined = [group for group in groups if any(draw in group[0] for draw in draws)]
            groups = [group for group in groups if group not in joined]
            all_draws = dict.fromkeys([*(d for group in joined for d in group[0]), *draws])
            groups.append((list(all_draws), [*(w for group in joined for w in group[1]), wait]))
    return [Hidden(draws, waits, time, _about(draws, comparisons)) for draws, waits in groups]


def _about(draws: Sequence[Draw], comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The comparisons in which some draws took part."""
    wanted = set(draws)
    return [comparison for comparison in comparisons if wanted & set(comparison.draws())]


def merged(found: Sequence[Mapping[tuple[str, int], tuple[float, int]]]) -> Again:
    """Returns what several groups are drawn again as, by source and number."""
    again: dict[str, dict[int, tuple[float, int]]] = {}
    for group in found:
        for (source, count), drawn in group.items():
            again.setdefault(source, {})[count] = drawn
    return again
