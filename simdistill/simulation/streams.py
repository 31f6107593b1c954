"""Random streams: one per source, indexed by what the number is *for*, never by how many were drawn before.

A draw is named by its source ("service"), by the entity it belongs to (job 17) and, if need be, by a visit.
The number is a function of the episode's seed path and this name alone. Two runs of one seed that take
different actions therefore see the same world, and their difference is the effect of the actions
(common random numbers). Numbers come in blocks from numpy generators, because a generator per entity costs
more than a decision epoch of a simple model.
"""

from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from zlib import crc32

import numpy as np

from simdistill.errors import InputError
from simdistill.simulation.distributions import AnyDistribution, Exponential, accepted, beyond
from simdistill.simulation.rng import Sources
from simdistill.simulation.rng.redrawn import Again, Redrawn

BLOCK = 64
MOST_BLOCKS = 2048
"""Blocks kept by one episode's streams; the oldest are dropped, and drawn again when they are needed."""
MOST_POINTS = 4096
"""Points kept of one Poisson clock; the oldest are dropped, and drawn again when they are needed."""

TRAIN, VALIDATION, TEST = 0, 1, 2
"""First key below the root seed: training, validation and test draws never share a tree."""

EPISODE, FUTURE, SAMPLE, PLAN = 0, 1, 2, 3
"""Second key: an episode's world, a branch's futures, drawn parameters, and whatever a policy, a teacher or a
trainer draws."""

SeedPath = tuple[int, ...]


_closed = False
"""Whether the test tree is closed in this process."""


@contextmanager
def without_tests() -> Iterator[None]:
    """Closes the test tree to this process while the block runs: to draw from it is an `InputError`.

    Teaching and training run inside, so that no student has seen the episodes that evaluate it.
    """
    global _closed
    before, _closed = _closed, True
    try:
        yield
    finally:
        _closed = before


def _check_open(path: SeedPath) -> None:
    if _closed and path[1:2] == (TEST,):
        raise InputError(
            f"seed path {list(path)}: training can't draw from the test tree; use TRAIN or VALIDATION"
        )


def generator(path: SeedPath) -> np.random.Generator:
    """Returns the numpy generator at a seed path (root seed first)."""
    _check_open(path)
    return np.random.default_rng(np.random.SeedSequence(path[0], spawn_key=path[1:]))


class Streams:
    """The random numbers of one episode.

    Args:
        path: Seed path, root seed first, e.g. `(seed, TRAIN, EPISODE, number)`.
    """

    def __init__(self, path: SeedPath):
        self.path = tuple(int(key) for key in path)
        _check_open(self.path)
        self._blocks: dict[tuple[str, int, int], list[float]] = {}

    def uniform(self, source: str, entity: int, visit: int = 0) -> float:
        """Returns the uniform number in [0, 1) that belongs to an entity of a source."""
        block = entity // BLOCK
        key = (source, visit, block)
        numbers = self._blocks.get(key)
        if numbers is None:
            numbers = self._new(key)
        return numbers[entity - block * BLOCK]

    def block(self, source: str, number: int) -> list[float]:
        """Returns the uniform numbers of a source's entities from `BLOCK * number` on."""
        key = (source, 0, number)
        numbers = self._blocks.get(key)
        return self._new(key) if numbers is None else numbers

    def sequence(self, source: str, count: int) -> tuple[SeedPath, int]:
        """Returns seed path and number of the sequence of a draw that needs more than one number."""
        return self.path, 0

    def _new(self, key: tuple[str, int, int]) -> list[float]:
        if len(self._blocks) >= MOST_BLOCKS:
            del self._blocks[next(iter(self._blocks))]
        numbers = self._blocks[key] = self._draw(*key)
        return numbers

    def _draw(self, source: str, visit: int, block: int) -> list[float]:
        # zlib's CRC is the same on every machine and in every process; `hash()` isn't.
        key = (crc32(source.encode()), visit, block + 2**31)  # entities may be negative, spawn keys may not
        sequence = np.random.SeedSequence(self.path[0], spawn_key=(*self.path[1:], *key))
        return np.random.Generator(np.random.PCG64(sequence)).random(BLOCK).tolist()


class Clock:
    """The points of a Poisson process, drawn as far as they are needed.

    Args:
        streams: Where the gaps come from.
        source: Name of the source.
        rate: Points per unit of time.
        start: Time at which the process starts.
    """

    __slots__ = ("_dropped", "_gap", "_points", "_source", "_start", "_streams")

    def __init__(self, streams: Streams, source: str, rate: float, start: float = 0.0):
        self._streams, self._source = streams, source
        self._gap = Exponential(1.0 / rate)
        self._start, self._points, self._dropped = start, [start], 0

    def after(self, instant: float) -> float:
        """Returns the first point later than `instant`."""
        # SimPy reaches a point by adding a delay to the present, which may end one rounding error before it.
        instant += 1e-9 * self._gap.mean
        points = self._points
        if self._dropped and instant < points[0]:
            points, self._dropped = [self._start], 0
        while points[-1] <= instant:
            number = self._dropped + len(points)
            points.append(points[-1] + self._gap.quantile(self._streams.uniform(self._source, number)))
            if len(points) > MOST_POINTS:
                self._dropped += MOST_POINTS // 2
                points = points[MOST_POINTS // 2 :]
        self._points = points
        return points[bisect_right(points, instant)]


class World:
    """What happens in one episode, whatever the decisions: all that a process model draws.

    Args:
        streams: The episode's streams.

    Attributes:
        path: Seed path of the episode.
        sources: Sources of `rng`.
    """

    def __init__(self, streams: Streams):
        self.streams, self.path = streams, streams.path
        self.sources = Sources(streams)
        self._clocks: dict[tuple[str, float], Clock] = {}

    def begin(self, env: Any) -> None:
        """Is told of the episode's environment before anything is scheduled in it."""
        env.episode_world = self

    def number(self, source: str, entity: int, distribution: AnyDistribution, visit: int = 0) -> float:
        """Draws a number that is known as soon as it is drawn."""
        u = self.streams.uniform(source, entity, visit)
        try:  # costs nothing where it succeeds, and a draw is what a simulation does most
            return distribution.quantile(u)  # type: ignore[union-attr]
        except (AttributeError, TypeError):
            return accepted(distribution).quantile(u)

    def duration(
        self, source: str, entity: int, distribution: AnyDistribution, now: float, visit: int = 0
    ) -> float:
        """Draws a duration that starts now and that nobody knows before it ends."""
        u = self.streams.uniform(source, entity, visit)
        try:
            return distribution.quantile(u)  # type: ignore[union-attr]
        except (AttributeError, TypeError):
            return accepted(distribution).quantile(u)

    def tick(self, source: str, rate: float, now: float) -> float:
        """Returns the time of a Poisson clock's first point after now."""
        clock = self._clocks.get((source, rate))
        if clock is None:
            clock = self._clocks[source, rate] = self._clock(source, rate)
        return clock.after(now)

    def _clock(self, source: str, rate: float) -> Clock:
        return Clock(self.streams, source, rate)


class BranchedWorld(World):
    """An episode up to a decision, and another future from there on.

    While the past is replayed, numbers keep their values. A duration that is still under way at the branch is
    drawn afresh, given how long it has lasted, because its old end would reveal the future (clairvoyance).
    `branch()` is called when the decision is answered; from then on every number belongs to the future.

    Args:
        past: The episode's world.
        future: Streams of the future.
        time: Simulated time of the decision.
        again: Draws of `rng` before the branch that belong to the future all the same.
    """

    def __init__(self, past: World, future: Streams, time: float, again: Again | None = None):
        super().__init__(future)
        self.path = past.path
        before = past.sources.streams
        self.sources = Sources(Redrawn(before, future, again) if again else before)
        self._past, self._time, self._branched = past, time, False
        self._known: set[tuple[str, int, int]] = set()

    def branch(self) -> None:
        """Ends the replay of the past."""
        self._branched = True
        self.sources.move(self.streams)

    def number(self, source: str, entity: int, distribution: AnyDistribution, visit: int = 0) -> float:
        key = (source, entity, visit)
        if not self._branched:
            self._known.add(key)
        if key in self._known:
            return self._past.number(source, entity, distribution, visit)
        return super().number(source, entity, distribution, visit)

    def duration(
        self, source: str, entity: int, distribution: AnyDistribution, now: float, visit: int = 0
    ) -> float:
        if self._branched:
            return super().duration(source, entity, distribution, now, visit)
        value = self._past.duration(source, entity, distribution, now, visit)
        if now + value <= self._time:
            return value
        return beyond(distribution, self._time - now, self.streams.uniform(f"{source}, rest", entity, visit))

    def tick(self, source: str, rate: float, now: float) -> float:
        if not self._branched:
            point = self._past.tick(source, rate, now)
            if now + (point - now) <= self._time:  # rounded as SimPy does: the decision may be at this point
                return point
        return super().tick(source, rate, max(now, self._time))

    def _clock(self, source: str, rate: float) -> Clock:
        return Clock(self.streams, source, rate, start=self._time)
