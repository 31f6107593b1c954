"""What-if: branch a running process at a decision and compare the choices.

SimPy processes can't be copied, so a branch is a replay: same seed, same answers up to the decision, then one
of the choices, then a base policy under a fresh future. All choices share the same futures, so their
differences are paired. Axes: C choices, K futures.

The value of continuing with a base policy after one free choice is a rollout (Bertsekas, Rollout, Policy
Iteration, and Distributed Reinforcement Learning, chapter 2).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simdistill.errors import ProcessError
from simdistill.simulation.decisions import Decision
from simdistill.simulation.model import ProcessModel
from simdistill.simulation.parameters import Parameters
from simdistill.simulation.policies import Policy, with_streams
from simdistill.simulation.situations import Situation
from simdistill.simulation.streams import FUTURE, BranchedWorld, Streams, World

MAX_DOUBLINGS = 5
"""Doublings of the horizon after which branches that haven't coupled are left."""


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
    """

    base: int
    differences_CK: np.ndarray
    coupled_CK: np.ndarray
    horizon: float
    decisions: int

    @property
    def mean_C(self) -> np.ndarray:
        """Mean cost difference to the base's choice."""
        return self.differences_CK.mean(axis=1)

    @property
    def standard_error_C(self) -> np.ndarray:
        """Standard error of `mean_C`: zero for the base's own choice, infinite with one future only."""
        choices, futures = self.differences_CK.shape
        if futures == 1:
            return np.where(np.arange(choices) == self.base, 0.0, math.inf)
        return self.differences_CK.std(axis=1, ddof=1) / math.sqrt(futures)


def replay(
    simulator: type[ProcessModel], params: Parameters, world: World, actions: Sequence[str]
) -> tuple[ProcessModel, Decision]:
    """Brings a process to the decision that follows the given answers.

    Raises:
        ProcessError: If the process ends before that decision, which means that it isn't reproducible.
    """
    model = simulator(params, world)
    decision = model.advance()
    for action in actions:
        if decision is None:
            break
        model.answer(action)
        decision = model.advance()
    if decision is None:
        raise ProcessError(
            simulator.__name__,
            world.path,
            model.env.now,
            f"the replay of {len(actions)} answers ended before their decision; does the process draw random "
            "numbers other than through duration(), poisson() and draw()?",
        )
    return model, decision


class _Branch:
    """One choice under one future, running on under the base policy."""

    __slots__ = ("decision", "decisions", "model", "policy", "start")

    def __init__(
        self, simulator, situation: Situation, past: World, future: Streams, choice: str, policy: Policy
    ):
        world = BranchedWorld(past, future, situation.time)
        self.model, decision = replay(simulator, situation.params, world, situation.actions)
        if self.model.env.now != situation.time or tuple(decision.labels) != situation.choices:
            raise ProcessError(
                simulator.__name__,
                situation.path,
                self.model.env.now,
                f"a replay didn't come back to the decision at time {situation.time:g}; does the process "
                "draw random numbers other than through duration(), poisson() and draw()?",
            )
        world.branch()
        self.policy = with_streams(policy, future)
        self.start = self.model.cost()
        self.model.answer(choice)
        self.decision: Decision | None = None
        self.decisions = len(situation.actions)

    def advance(self, until: float) -> bool:
        """Goes on to the next decision; False if there is none before `until`."""
        model = self.model
        if self.decision is not None:
            model.answer(self.policy(model.observe_unchecked(self.decision), self.decision.labels))
            self.decisions += 1
        self.decision = model.advance(until)
        return self.decision is not None

    @property
    def time(self) -> float:
        return self.model.env.now if self.decision is not None else -math.inf

    def cost(self, time: float) -> float:
        final = self.model.final_cost() if self.model.ended else 0.0
        return self.model.cost(time) - self.start + final


class _Future:
    """The branches of all choices under one future, run in step so that coupled ones are recognised."""

    def __init__(self, branches: Sequence[_Branch], base: int):
        self.reference = branches[base]
        self.open = {c: branch for c, branch in enumerate(branches) if c != base}
        self.all = branches
        self.difference_C = np.zeros(len(branches))
        self.coupled_C = np.zeros(len(branches), dtype=bool)
        self.coupled_C[base] = True

    def run(self, until: float) -> None:
        """Runs to a time, or until every branch has coupled with the reference."""
        reference = self.reference
        while self.open and reference.advance(until):
            now, mark = reference.time, reference.model.fingerprint()
            for choice, branch in list(self.open.items()):
                while branch.time < now and branch.advance(until):
                    pass
                if mark is not None and branch.time == now and branch.model.fingerprint() == mark:
                    self.difference_C[choice] = branch.cost(now) - reference.cost(now)
                    self.coupled_C[choice] = True
                    del self.open[choice]
        for choice, branch in list(self.open.items()):
            while branch.advance(until):
                pass
            self.difference_C[choice] = branch.cost(until) - reference.cost(until)
            if branch.model.ended and reference.model.ended:
                self.coupled_C[choice] = True
                del self.open[choice]

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
) -> Values:
    """Compares the choices of a situation, each followed by a base policy, under the same fresh futures.

    A future ends when the branches couple (equal fingerprints at equal times), when the process ends, or at
    the horizon. The horizon is doubled until no mean difference moves by a standard error or more.

    Args:
        simulator: The process.
        situation: Where to branch.
        policy: Decides after the branch.
        futures: Number of futures K, the same for every choice.
        horizon: Simulated time after the branch at first.
        salt: Another salt gives other futures; never value a choice by the futures that it was made by.
    """
    own = with_streams(policy, Streams((*situation.path, FUTURE, len(situation.actions), salt)))
    base = situation.choices.index(own(situation.state, situation.choices))
    past = World(Streams(situation.path))
    worlds = [Streams((*situation.path, FUTURE, len(situation.actions), salt, k)) for k in range(futures)]
    running = [
        _Future([_Branch(simulator, situation, past, future, c, policy) for c in situation.choices], base)
        for future in worlds
    ]
    before_C = None
    for _ in range(MAX_DOUBLINGS + 1):
        for future in running:
            if future.open:
                future.run(situation.time + horizon)
        values = Values(
            base,
            np.stack([future.difference_C for future in running], axis=1),
            np.stack([future.coupled_C for future in running], axis=1),
            horizon,
            sum(future.decisions for future in running),
        )
        if values.coupled_CK.all():
            break
        mean_C = values.mean_C
        if before_C is not None and (np.abs(mean_C - before_C) <= values.standard_error_C).all():
            break
        before_C = mean_C
        horizon *= 2
    return values
