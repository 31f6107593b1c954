"""The random numbers of a model that runs its environment several times, as for a warm-up and for results."""

from collections import Counter
from typing import Any

from simdistill.simulation.distributions import Distribution
from simdistill.simulation.streams import World

REPEATED = 1_000_000
"""Added to the visit of a key that is used again, once for each time."""


class LaterRun(World):
    """A world from the second `env.run()` on, where a model may count its entities from the beginning again.

    Sources get another name there. Two entities of one number, of which one came before the count began again
    and one after it, get visits of their own, in the order in which they need a number.

    Args:
        world: The episode's world.
        run: Number of the run, from 2.
    """

    def __init__(self, world: World, run: int):
        self._world = world._world if isinstance(world, LaterRun) else world
        self._run, self._used = f", run {run}", Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)

    def number(self, source: str, entity: int, distribution: Distribution, visit: int = 0) -> float:
        source += self._run
        return self._world.number(source, entity, distribution, self._visit(source, entity, visit))

    def duration(
        self, source: str, entity: int, distribution: Distribution, now: float, visit: int = 0
    ) -> float:
        source += self._run
        return self._world.duration(source, entity, distribution, now, self._visit(source, entity, visit))

    def tick(self, source: str, rate: float, now: float) -> float:
        return self._world.tick(source, rate, now)

    def _visit(self, source: str, entity: int, visit: int) -> int:
        """The visit by which a key hasn't been used yet in this run."""
        key = source, entity, visit
        self._used[key] += 1
        return visit + REPEATED * (self._used[key] - 1)
