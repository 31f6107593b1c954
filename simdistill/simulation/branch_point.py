"""A decision to which a process is brought again and again, each time with another future before it."""

from collections import Counter

from simdistill.errors import ProcessError
from simdistill.simulation.decisions import Decision
from simdistill.simulation.model import ProcessModel
from simdistill.simulation.redrawing import Redrawing, redrawing
from simdistill.simulation.replaying import replay
from simdistill.simulation.rng.redrawn import Again
from simdistill.simulation.situations import Situation
from simdistill.simulation.streams import BranchedWorld, Streams, World


class BranchPoint:
    """A situation from which futures go on.

    Args:
        simulator: The process.
        situation: The situation.

    Attributes:
        situation: The situation.
    """

    def __init__(self, simulator: type[ProcessModel], situation: Situation):
        self.simulator, self.situation = simulator, situation
        self._past = World(Streams(situation.path))
        self._redrawing: Redrawing | None = None
        self._last: tuple[Streams | None, Again | None] = (None, None)
        self._failed = 0

    def reach(self, future: Streams) -> tuple[ProcessModel, Decision]:
        """Returns a process that waits for the answer, and the decision; from now on it draws from a future.

        Raises:
            ProcessError: If the process doesn't come back to the decision.
        """
        if self._redrawing is None:
            world, model, decision = self._replayed(future, None)
            if not world.sources.counts:
                self._redrawing = Redrawing()
                return self._branched(world, model, decision)
            situation = self.situation
            self._redrawing = redrawing(
                self.simulator, situation.params, self._past, situation.actions, situation.time
            )
        if self._last[0] is not future:
            self._last = future, self._redrawing.again(future)
        while again := self._last[1]:
            try:
                return self._branched(*self._replayed(future, again))
            except ProcessError:
                narrowed = self._redrawing.narrow(future)
                self._failed += not narrowed
                self._last = future, self._redrawing.again(future) if narrowed else None
        return self._branched(*self._replayed(future, None))

    @property
    def counts(self) -> Counter:
        """What became of draws of `rng` that were under way, as in `Redrawing`."""
        counts = Counter() if self._redrawing is None else Counter(self._redrawing.counts)
        return counts + Counter({"futures with old values": self._failed})

    def _replayed(self, future: Streams, again: Again | None) -> tuple[BranchedWorld, ProcessModel, Decision]:
        situation = self.situation
        world = BranchedWorld(self._past, future, situation.time, again)
        model, decision = replay(self.simulator, situation.params, world, situation.actions)
        same = model.env.now == situation.time and tuple(decision.labels) == situation.choices
        if not same or (again and model.observe_unchecked(decision) != situation.state):
            raise ProcessError(
                self.simulator.__name__,
                situation.path,
                model.env.now,
                f"a replay didn't come back to the decision at time {situation.time:g}; does the process "
                "draw random numbers other than through rng(), duration(), poisson() and draw()?",
            )
        return world, model, decision

    @staticmethod
    def _branched(
        world: BranchedWorld, model: ProcessModel, decision: Decision
    ) -> tuple[ProcessModel, Decision]:
        world.branch()
        return model, decision
