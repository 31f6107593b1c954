"""Draws of `rng` that are under way at a branch and must belong to its future.

What a model makes of a draw isn't known to the world from which it is drawn. A past is therefore replayed
once with numbers that remember their draws, which tells what of them became timeouts that are under way. Each
future draws those again, given how long they have lasted. A number that the past turns out to depend on,
in two replays with new numbers, is one that is known: it keeps its value.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from simdistill.errors import ProcessError
from simdistill.simulation.decisions import Decision
from simdistill.simulation.distributions import Distribution
from simdistill.simulation.model import ProcessModel
from simdistill.simulation.parameters import Parameters
from simdistill.simulation.replaying import replay
from simdistill.simulation.rng.draw import Draw
from simdistill.simulation.rng.hidden import Hidden, hidden_in, merged
from simdistill.simulation.rng.noting import Notes, NotingSources
from simdistill.simulation.rng.redrawn import Again
from simdistill.simulation.streams import FUTURE, BranchedWorld, Streams, World

PROBE = 2**32 - 1
"""Salt of the futures with which it is tried whether the past stays what it was."""

PROBES = 2

MOST_COMPARISONS = 8
"""Comparisons of which it is tried whether each must come out as it did."""


class NotingWorld(World):
    """A past that is replayed to note its draws.

    Args:
        past: The world of the past.
    """

    def __init__(self, past: World):
        super().__init__(past.streams)
        self.path, self._past, self.notes = past.path, past, Notes()
        self.sources = NotingSources(past.sources.streams, self.notes)

    def begin(self, env: Any) -> None:
        super().begin(env)
        self.notes.watch(env)

    def number(self, source: str, entity: int, distribution: Distribution, visit: int = 0) -> float:
        return self._past.number(source, entity, distribution, visit)

    def duration(
        self, source: str, entity: int, distribution: Distribution, now: float, visit: int = 0
    ) -> float:
        return self._past.duration(source, entity, distribution, now, visit)

    def tick(self, source: str, rate: float, now: float) -> float:
        return self._past.tick(source, rate, now)


@dataclass
class Redrawing:
    """What is drawn again at a branch.

    Attributes:
        hidden: Draws that are drawn again.
        known: Draws that keep their value, though timeouts made of them are under way: the past depends on
            them.
        counts: How often tries were used up, or the past couldn't be noted.
        past: What is replayed to see what the past depends on; None if nothing is drawn again.
    """

    hidden: list[Hidden] = field(default_factory=list)
    known: list[Draw] = field(default_factory=list)
    counts: Counter = field(default_factory=Counter)
    past: "_Past | None" = None

    def again(self, future: Streams) -> Again | None:
        """Returns what is drawn again in a future, None if nothing is."""
        found = [hidden.again(future) for hidden in self.hidden]
        self.counts["tries used up"] += sum(drawn is None for drawn in found)
        return merged([drawn for drawn in found if drawn is not None]) or None

    def narrow(self, future: Streams) -> bool:
        """Draws less again after a future in which the past didn't stay what it was.

        Returns:
            Whether something has changed.
        """
        assert self.past is not None
        before = list(self.hidden)
        self.hidden = self.past.free(before, self.known, [future])
        return self.hidden != before

    def checked(self, future: Streams) -> Again | None:
        """Returns what is drawn again in a future, after it has been seen that the past stays what it was."""
        while (again := self.again(future)) is not None:
            if self.past is None or self.past.unchanged(self.hidden, [future]):
                return again
            if not self.narrow(future):
                return None
        return None


def redrawing(
    simulator: type[ProcessModel], params: Parameters, past: World, actions: Sequence[str], time: float
) -> Redrawing:
    """Finds out which draws of `rng` the futures of a decision draw again.

    Args:
        simulator: The process.
        params: Its parameters.
        past: The world of the past.
        actions: Answers before the decision.
        time: Simulated time of the decision.
    """
    return _Past(simulator, params, past, actions, time).redrawing()


class _Past:
    """A past that is replayed to see what it depends on."""

    def __init__(
        self,
        simulator: type[ProcessModel],
        params: Parameters,
        past: World,
        actions: Sequence[str],
        time: float,
    ):
        self.simulator, self.params, self.past = simulator, params, past
        self.actions, self.time = actions, time
        self._hard = self._probes()  # and futures in which the past came out otherwise

    def redrawing(self) -> Redrawing:
        world = NotingWorld(self.past)
        self._shown = self._replayed(world)
        if self._shown is None:
            return Redrawing(counts=Counter({"not noted": 1}))
        found = Redrawing(past=self)
        groups = hidden_in(world.notes, self.time)
        found.hidden = self.free(groups, found.known, self._probes())
        return found

    def free(self, groups: list[Hidden], known: list[Draw], futures: Sequence[Streams]) -> list[Hidden]:
        """Returns the groups that can be drawn again; draws of the others are added to those known."""
        if not groups or self.unchanged(groups, futures):
            return groups
        if len(groups) == 1:
            return self._given_comparisons(groups[0], known, futures)
        half = len(groups) // 2
        free = [*self.free(groups[:half], known, futures), *self.free(groups[half:], known, futures)]
        if self.unchanged(free, futures):
            return free
        known += [draw for group in free for draw in group.draws]
        return []

    def unchanged(self, groups: Sequence[Hidden], futures: Sequence[Streams]) -> bool:
        """Whether the past is what it was with other values of some draws."""
        for future in futures:
            again = merged([drawn for group in groups if (drawn := group.again(future)) is not None])
            if again and self._replayed(BranchedWorld(self.past, future, self.time, again)) != self._shown:
                return False
        return True

    def _given_comparisons(
        self, group: Hidden, known: list[Draw], futures: Sequence[Streams]
    ) -> list[Hidden]:
        """Tries it once more with comparisons that come out as they did, such as the order of a queue."""
        self._hard += [future for future in futures if future not in self._hard]
        compared = group.compared()
        narrower = group.given(compared)
        if len(compared) > len(group.comparisons) and self.unchanged([narrower], self._hard):
            for one in compared if len(compared) <= MOST_COMPARISONS else ():
                wider = group.given([other for other in narrower.comparisons if other is not one])
                if self.unchanged([wider], self._hard):
                    narrower = wider
            return [narrower]
        known += group.draws
        return []

    def _probes(self) -> list[Streams]:
        path = (*self.past.path, FUTURE, len(self.actions), PROBE)
        return [Streams((*path, probe)) for probe in range(PROBES)]

    def _replayed(self, world: World) -> list[tuple] | None:
        """What a replay shows at each of its decisions; None if it fails or comes to another time."""
        shown: list[tuple] = []

        def look(model: ProcessModel, decision: Decision) -> None:
            state = json.dumps(model.observe_unchecked(decision), default=repr)
            shown.append((model.env.now, decision.question, tuple(decision.labels), state))

        try:
            model, _ = replay(self.simulator, self.params, world, self.actions, look)
        except ProcessError:
            return None
        return shown if model.env.now == self.time else None
