"""What-if: branch a running process at a decision and compare the choices.

SimPy processes can't be copied, so a branch is a replay: same seed, same answers up to the decision, then one
of the choices, then a base policy under a fresh future. All choices share the same futures, so their
differences are paired. Axes: C choices, K futures.

The value of continuing with a base policy after one free choice is a rollout (Bertsekas, Rollout, Policy
Iteration, and Distributed Reinforcement Learning, chapter 2).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from simdistill.errors import InputError, ProcessError
from simdistill.simulation.branch_point import BranchPoint
from simdistill.simulation.decisions import Decision
from simdistill.simulation.memory import differ, memory_of
from simdistill.simulation.model import ProcessModel
from simdistill.simulation.policies import Policy, with_streams
from simdistill.simulation.situations import Situation
from simdistill.simulation.streams import FUTURE, Streams

MAX_DOUBLINGS = 5
"""Doublings of the horizon after which branches that haven't coupled are left."""

MOST_HIDDEN = 2 / 3
"""Share of futures in which branches may differ without any cost that differs, while a mean is at rest."""


@dataclass(frozen=True)
class Values:
    """The simulated cost of each choice of a situation.

    Attributes:
        base: Index of the base policy's choice.
        differences_CK: Cost of each choice minus cost of the base's choice, in each future.
        coupled_CK: True where the two branches became equal or both ended, so that the difference is exact
            for that future.
        horizon: Simulated time after which branches that hadn't coupled were stopped.
        decisions: Decisions simulated, replays included.
        doubt_C: How far off each mean may be, in cost units, because the horizon was too short. It is 0 where
            the differences had come to rest; else the last change of the mean or, if the choice had made no
            difference yet, all that a branch cost, and infinite if nothing cost anything any more. None
            stands for zeros.
        draws: What became of the draws of `rng` that were under way -> number of draws; see `Redrawing`.
    """

    base: int
    differences_CK: np.ndarray
    coupled_CK: np.ndarray
    horizon: float
    decisions: int
    doubt_C: np.ndarray | None = None
    draws: Mapping[str, int] = field(default_factory=dict)

    @property
    def mean_C(self) -> np.ndarray:
        """Mean cost difference to the base's choice."""
        return self.differences_CK.mean(axis=1)

    @property
    def standard_error_C(self) -> np.ndarray:
        """Standard error of `mean_C`, with doubt: 0 for the base's own choice, infinite with one future."""
        choices, futures = self.differences_CK.shape
        if futures == 1:
            return np.where(np.arange(choices) == self.base, 0.0, math.inf)
        sampling_C = self.differences_CK.std(axis=1, ddof=1) / math.sqrt(futures)
        return sampling_C if self.doubt_C is None else np.hypot(sampling_C, self.doubt_C)

    @property
    def unsettled(self) -> bool:
        """Whether even the longest horizon couldn't tell what some choice costs."""
        return self.doubt_C is not None and bool(self.doubt_C.any())


class _Branch:
    """One choice under one future, running on under the base policy."""

    __slots__ = ("decision", "decisions", "memories", "model", "policy", "seen", "start")

    def __init__(self, point: BranchPoint, future: Streams, choice: str, policy: Policy):
        self.model, _ = point.reach(future)
        self.policy = with_streams(policy, future)
        self.start = self.model.cost()
        self.model.answer(choice)
        self.decision: Decision | None = None
        self.seen: tuple[float, dict] | None = None  # time and state of the last decision
        self.memories: list[Any] = [None, None]  # of the last two times at which it was stopped
        self.decisions = len(point.situation.actions)

    def advance(self, until: float) -> bool:
        """Goes on to the next decision; False if there is none before `until`."""
        model = self.model
        if self.decision is not None:
            state = model.observe_unchecked(self.decision)
            self.seen = model.env.now, state
            model.answer(self.policy(state, self.decision.labels))
            self.decisions += 1
        self.decision = model.advance(until)
        return self.decision is not None

    @property
    def time(self) -> float:
        return self.model.env.now if self.decision is not None else -math.inf

    def cost(self, time: float, last: bool = False) -> float:
        """Returns the cost since the branching, with the final cost if `last`: the task ends at this time."""
        cost = self.model.cost(time) - self.start
        return cost + (self.model.finish(time) if last or self.model.ended else 0.0)

    def asks_as(self, other: "_Branch") -> bool:
        """Returns whether two branches put the same question, with equally many events left at that time."""
        return self.decision is not None and other.decision is not None and self._asked == other._asked

    @property
    def _asked(self) -> tuple:
        decision, env = self.decision, self.model.env
        due = sum(time <= env.now for time, *_ in env._queue)
        return decision and (decision.question, decision.decider, decision.labels), due, env.mid_event

    def remember(self) -> None:
        """Keeps what the process remembers now, unless its fingerprint tells as much."""
        if self.model.fingerprint() is None:
            self.memories = [self.memories[1], memory_of(self.model)]

    def apart(self, other: "_Branch") -> bool:
        """Returns whether two branches differ: in fingerprints, else in events, states or memory."""
        model, others = self.model, other.model
        if (mark := model.full_fingerprint()) is not None:
            return mark != others.full_fingerprint()
        if self.seen != other.seen:
            return True
        times, theirs = (sorted(time for time, *_ in one.env._queue) for one in (model, others))
        if len(times) != len(theirs) or not np.allclose(times, theirs, rtol=1e-9, atol=0):
            return True
        (before, now), (before_other, now_other) = self.memories, other.memories
        return differ(now, now_other, before, before_other)


class _Future:
    """The branches of all choices under one future, run in step so that coupled ones are recognised."""

    def __init__(self, branches: Sequence[_Branch], base: int):
        self.reference = branches[base]
        self.open = {c: branch for c, branch in enumerate(branches) if c != base}
        self.all = branches
        self.difference_C = np.zeros(len(branches))
        self.coupled_C = np.zeros(len(branches), dtype=bool)
        self.coupled_C[base] = True
        self.silent_C = np.zeros(len(branches), dtype=bool)
        self.hidden_C = np.zeros(len(branches), dtype=bool)
        self.stake_C = np.zeros(len(branches))
        self.paid_C2 = np.zeros((len(branches), 2))  # by the choice and by the reference

    def run(self, until: float, last: bool) -> None:
        """Runs to a time, or until every branch has coupled with the reference.

        It sets `silent_C`, whether a branch that hasn't coupled shows no effect of the choice yet: its cost
        difference is what it was at the last horizon, or 0, though the branch may still differ from the
        reference. It sets `hidden_C`, whether such a branch differs, whatever its cost difference is. It also
        sets `stake_C`, the greater cost of the two branches since the branching, or 0 if nothing was paid
        since the last horizon.

        Args:
            until: Simulated time at which to stop.
            last: Whether the task ends then, so that the final cost falls due.
        """
        self.silent_C[:] = self.hidden_C[:] = False
        reference = self.reference
        while self.open and reference.advance(until):
            now, mark = reference.time, reference.model.full_fingerprint()
            for choice, branch in list(self.open.items()):
                while branch.time < now and branch.advance(until):
                    pass
                if mark is not None and branch.time == now and branch.model.full_fingerprint() == mark:
                    if not branch.asks_as(reference):
                        continue
                    self.difference_C[choice] = branch.cost(now) - reference.cost(now)
                    self.coupled_C[choice] = True
                    del self.open[choice]
        if self.open and not last:  # memories are compared where branches go on
            reference.remember()
        for choice, branch in list(self.open.items()):
            while branch.advance(until):
                pass
            if not last:
                branch.remember()
            before = self.difference_C[choice]
            paid, other = branch.cost(until, last), reference.cost(until, last)
            self.difference_C[choice] = paid - other
            scale, paid_before = max(abs(paid), abs(other)), self.paid_C2[choice]
            self.stake_C[choice] = 0.0 if np.array_equal(paid_before, (paid, other)) else scale
            self.paid_C2[choice] = paid, other
            if last or (branch.model.ended and reference.model.ended):
                self.coupled_C[choice] = True
                del self.open[choice]
            elif math.isclose(paid - other, before, rel_tol=1e-9, abs_tol=1e-9 * scale):
                self.hidden_C[choice] = branch.apart(reference)
                self.silent_C[choice] = paid == other or self.hidden_C[choice]

    @property
    def decisions(self) -> int:
        return sum(branch.decisions for branch in self.all)


def what_if(
    simulator: type[ProcessModel],
    situation: Situation,
    policy: Policy,
    futures: int,
    horizon: float,
    salt: int = 0,
    until: float = math.inf,
) -> Values:
    """Compares the choices of a situation, each followed by a base policy, under the same fresh futures.

    A future ends when the branches couple (equal fingerprints at equal times), when the process or its task
    ends, or at the horizon. The horizon is doubled until no mean difference moves by a standard error or
    more. A difference that hasn't moved only because the choice has had no effect yet isn't settled.

    Args:
        simulator: The process.
        situation: Where to branch.
        policy: Decides after the branch.
        futures: Number of futures K, the same for every choice.
        horizon: Simulated time after the branch at first.
        salt: Another salt gives other futures; never value a choice by the futures that it was made by.
        until: Simulated time at which a terminating task ends; the final cost falls due then.

    Raises:
        InputError: If the task ends before the situation.
        ProcessError: If the policy takes something that isn't a choice, or a branch fails.
    """
    if situation.time > until:
        raise InputError(f"the task ends at {until:g}, and the decision is later, at {situation.time:g}")
    own = with_streams(policy, Streams((*situation.path, FUTURE, len(situation.actions), salt)))
    taken = own(situation.state, situation.choices)
    if taken not in situation.choices:
        reason = f"the policy took {taken!r}, which isn't one of {list(situation.choices)}"
        raise ProcessError(simulator.__name__, situation.path, situation.time, reason)
    base = situation.choices.index(taken)
    point = BranchPoint(simulator, situation)
    worlds = [Streams((*situation.path, FUTURE, len(situation.actions), salt, k)) for k in range(futures)]
    running = [
        _Future([_Branch(point, future, c, policy) for c in situation.choices], base) for future in worlds
    ]
    before_C = None
    for doublings in range(MAX_DOUBLINGS + 1):
        stop = min(situation.time + horizon, until)
        for future in running:
            if future.open:
                future.run(stop, stop == until)
        values = Values(
            base,
            np.stack([future.difference_C for future in running], axis=1),
            np.stack([future.coupled_C for future in running], axis=1),
            horizon,
            sum(future.decisions for future in running),
            draws=point.counts,
        )
        doubt_C = _doubt(values, before_C, running)
        if values.coupled_CK.all() or (before_C is not None and not doubt_C.any()):
            return values
        if doublings < MAX_DOUBLINGS:
            before_C = values.mean_C
            horizon *= 2
    return replace(values, doubt_C=doubt_C)


def _doubt(values: Values, before_C: np.ndarray | None, running: Sequence[_Future]) -> np.ndarray:
    """Returns `Values.doubt_C`; `before_C` has the means at the last horizon, None at the first one."""
    open_CK = ~values.coupled_CK
    silent_CK = np.stack([future.silent_C for future in running], axis=1) & open_CK
    hidden_CK = np.stack([future.hidden_C for future in running], axis=1) & open_CK
    mean_C, error_C = values.mean_C, values.differences_CK.std(axis=1)
    nothing_C = open_CK.any(axis=1) & (mean_C == 0) & (error_C == 0)
    # In the few futures in which something has come of the choice, it may be something else than in the rest.
    nothing_C |= silent_CK.all(axis=1) | (hidden_CK.mean(axis=1) > MOST_HIDDEN)
    stake_C = np.stack([future.stake_C for future in running], axis=1).mean(axis=1)
    doubt_C = np.where(nothing_C, np.where(stake_C > 0, stake_C, math.inf), 0.0)
    if before_C is None:
        return doubt_C
    moved_C = np.abs(mean_C - before_C)
    return np.maximum(doubt_C, np.where(moved_C <= values.standard_error_C, 0.0, moved_C))
