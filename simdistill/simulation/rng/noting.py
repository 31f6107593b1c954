"""Replaying a past to note which draws became timeouts, and what of them is known."""

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import simpy
from simpy.events import NORMAL

from simdistill.simulation.rng import methods
from simdistill.simulation.rng.draw import Draw
from simdistill.simulation.rng.overheard import OverheardSources
from simdistill.simulation.rng.source import Numbered, Source
from simdistill.simulation.rng.tracked import Made, made_of, plain, tracked


class Wait:
    """A timeout whose length was made of draws.

    Attributes:
        made: How its length was made.
        start: When it began.
        end: When it is over.
        event: The timeout.
        left: When nobody waited for it any more, None as long as somebody may.
        limit: The comparison with its length that the draws were past, as in `min(length, 9.0)`; None if it
            was made of draws itself.
    """

    __slots__ = ("end", "event", "left", "limit", "made", "start")

    def __init__(
        self, made: Made, start: float, end: float, event: simpy.Event, limit: "Comparison | None" = None
    ):
        self.made, self.start, self.end, self.event, self.limit = made, start, end, event, limit
        self.left: float | None = None


class Comparison:
    """A comparison that a model made of a number that draws made."""

    __slots__ = ("function", "one", "other", "outcome")

    def __init__(self, function: Callable, one: Any, other: Any, outcome: bool):
        self.function, self.outcome = function, outcome
        self.one, self.other = (made_of(number) or plain(number) for number in (one, other))

    def comes_out(self, values: Mapping[Draw, Any]) -> bool:
        """Whether it comes out as it did, with other values of draws."""
        sides = (side.value(values) if isinstance(side, Made) else side for side in (self.one, self.other))
        return bool(self.function(*sides)) is self.outcome

    def draws(self) -> Iterator[Draw]:
        """Yields the draws that both sides were made of."""
        for side in (self.one, self.other):
            if isinstance(side, Made):
                yield from side.draws()


class Notes:
    """What is noted of a replay: draws, the timeouts made of them, and comparisons.

    Attributes:
        draws: Source and count -> draw.
        waits: Timeouts made of draws.
        comparisons: What was compared.
    """

    def __init__(self):
        self.draws: dict[tuple[str, int], Draw] = {}
        self.waits: list[Wait] = []
        self.comparisons: list[Comparison] = []
        self._env: Any = None
        self._limits: dict[float, tuple[Comparison, Made]] = {}  # what draws were compared with at this time
        self._limits_at = -1.0

    @property
    def now(self) -> float:
        """Simulated time."""
        return self._env.now if self._env is not None else 0.0

    def watch(self, env: simpy.Environment) -> None:
        """Notes what is scheduled in an environment; the times in its queue stay plain numbers."""
        self._env, schedule = env, env.schedule

        def noted(event: simpy.Event, priority: Any = NORMAL, delay: Any = 0) -> None:
            made, limit = made_of(delay), None
            delay = plain(delay)
            if made is None and delay > 0:
                made, limit = self._limited(delay)
            if made is not None:
                wait = Wait(made, env.now, env.now + delay, event, limit)
                self.waits.append(wait)
                event.callbacks = _Callbacks(event.callbacks, wait, env)
            schedule(event, priority, delay)

        env.schedule = noted  # type: ignore[method-assign]

    def compared(self, function: Callable, one: Any, other: Any, outcome: bool) -> None:
        """Notes a comparison."""
        if function is not operator.eq and function is not operator.ne:
            comparison = Comparison(function, one, other, outcome)
            self.comparisons.append(comparison)
            if self._limits_at != self.now:
                self._limits, self._limits_at = {}, self.now
            for limit, made in ((comparison.one, comparison.other), (comparison.other, comparison.one)):
                if isinstance(made, Made) and not isinstance(limit, Made):
                    self._limits[limit] = comparison, made

    def _limited(self, length: float) -> tuple[Made | None, Comparison | None]:
        """How a timeout came by a length with which a number made of draws has just been compared."""
        if self._limits_at != self.now or length not in self._limits:
            return None, None
        comparison, made = self._limits[length]
        above = made.value({}) > length
        return Made(min if above else max, (made, length), made.depth + 1), comparison

    def drawn(self, source: Source, count: int, method: str, given: tuple, named: dict, value: Any) -> Any:
        """Notes a draw and returns its value as a number that remembers it."""
        for argument in (*given, *named.values()):
            if (made := made_of(argument)) is not None:
                for draw in made.draws():
                    draw.known = True  # what was drawn with it can't be told apart from it
        arguments = tuple(plain(argument) for argument in given)
        named = {name: plain(argument) for name, argument in named.items()}
        draw = Draw(self, source, count, method, arguments, named, value)
        before = self.draws.setdefault((source.name, count), draw)
        if before is not draw:  # two generators are at the same count: one is a copy of the other
            before.known = draw.known = True
        return tracked(value, Made(None, (draw,), 0))


class _Callbacks(list):
    """Those who wait for a timeout; it notes when they have all gone."""

    def __init__(self, callbacks: Any, wait: Wait, env: simpy.Environment):
        super().__init__(callbacks)
        self._wait, self._env = wait, env

    def remove(self, callback: Any) -> None:
        super().remove(callback)
        if not self:
            self._wait.left = self._env.now

    def append(self, callback: Any) -> None:
        super().append(callback)
        self._wait.left = None


class NotingSources(OverheardSources):
    """Sources whose generators draw numbers that remember their draw.

    Args:
        streams: Where the numbers come from.
        notes: Where draws are noted.
    """

    def __init__(self, streams: Numbered, notes: Notes):
        super().__init__(streams)
        self.notes = notes

    def heard(self, source: Source, count: int, method: str, given: tuple, named: dict, value: Any) -> Any:
        if method not in methods.NUMPY:
            return value  # one of Python's that takes several numbers: the way from these isn't followed
        return self.notes.drawn(source, count, method, given, named, value)
