"""The results of one policy with one parameter set.

Axes: S states, C choices, R replications.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from simdistill.simulation import Policy
from simdistill.simulation.replication import Replication
from simdistill.simulation.states import State, key
from simdistill.statistics import mean_estimate


@dataclass
class Met:
    """A state that a policy met in simulation.

    Attributes:
        state: The state.
        choices: Labels of the legal choices.
        label: The policy's choice.
        count: How often it decided there.
    """

    state: State
    choices: Sequence[str]
    label: str
    count: int = 0


@dataclass
class Examined:
    """The results of one policy with one parameter set.

    Attributes:
        cost: Exact average cost; None where queues grow, or where costs are estimated by simulation only.
        policy: The policy to simulate; None for random decisions.
        policy_SC: Probability of each choice in each state of the chain; None without a chain.
        stationary_S: Probability of each state of the chain under the policy; None without a chain.
        tabulated: Share of that probability whose states the policy itself was queried in.
        replications: Simulated replications, with None for each that failed; empty without simulation.
        met: Key of a state and its choices -> the state, if decisions were noted: those with the default
            parameters of policies that are asked for all replications at once.
    """

    cost: float | None
    policy: Policy | None = None
    policy_SC: np.ndarray | None = None
    stationary_S: np.ndarray | None = None
    tabulated: float = 1.0
    replications: list[Replication | None] = field(default_factory=list)
    met: dict[tuple, Met] = field(default_factory=dict)

    def note(self, state: State, choices: Sequence[str], label: str) -> None:
        """Counts a decision in `met`."""
        found = self.met.setdefault(key(state, choices), Met(state, choices, label))
        found.count += 1

    @property
    def cost_R(self) -> np.ndarray:
        """Cost of each replication; NaN for a replication that failed."""
        return np.array([np.nan if r is None else r.cost for r in self.replications])

    @property
    def growth_R(self) -> np.ndarray:
        """Cost of the second half less that of the first, for each replication that didn't fail."""
        return np.array([r.halves[1] - r.halves[0] for r in self.replications if r is not None and r.halves])

    @property
    def grows(self) -> bool:
        """Whether the simulated cost grows clearly from the first to the second half of the replications.

        The growth must be significant and exceed 40% of the mean cost. False where the exact cost is known.
        """
        growth_R = self.growth_R
        if len(growth_R) < 2 or self.cost is not None:
            return False
        cost = float(np.nanmean(self.cost_R))
        return mean_estimate(growth_R).low > 0 and float(growth_R.mean()) > 0.4 * abs(cost)


@dataclass(frozen=True)
class Table:
    """A policy as a table of states, which can be sent to worker processes.

    Attributes:
        choices: State's key -> choice.
        limits: Largest value of each number in a key, and None in the places of a key that hold something
            else; larger numbers of a state are reduced to these. Empty if the keys differ in length; numbers
            aren't reduced then.
        fallback: The policy for states that aren't in the table because they hardly ever occur.
    """

    choices: Mapping[tuple, str]
    limits: tuple[float | None, ...]
    fallback: Policy

    def __call__(self, state: State, choices: Sequence[str]) -> str:
        place = key(state)
        choice = self.choices.get(place)
        if choice is None and len(place) == len(self.limits):
            within = [
                min(value, limit) if limit is not None and isinstance(value, int | float) else value
                for value, limit in zip(place, self.limits, strict=True)
            ]
            choice = self.choices.get(tuple(within))
        return choice or self.fallback(state, choices)


def limits(keys: Sequence[tuple]) -> tuple[float | None, ...]:
    """Returns the largest value of each number in keys, and None in places that hold something else.

    The result is empty if the keys differ in length.
    """
    if len(set(map(len, keys))) != 1:
        return ()
    return tuple(
        max(values) if all(isinstance(value, int | float) for value in values) else None
        for values in zip(*keys, strict=True)
    )
