"""What an examination finds of one policy with one parameter set.

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
class Examined:
    """One policy with one parameter set.

    Attributes:
        cost: Exact average cost; None where queues grow, or where costs are known by simulation only.
        policy: Decides in simulation; None for random decisions.
        policy_SC: Probability of each choice in each state of the chain, if there is one.
        stationary_S: Probability of each state of the chain under the policy.
        tabulated: Share of that probability in which the policy was asked itself.
        replications: Simulated replications, none if it wasn't simulated; None where one failed.
    """

    cost: float | None
    policy: Policy | None = None
    policy_SC: np.ndarray | None = None
    stationary_S: np.ndarray | None = None
    tabulated: float = 1.0
    replications: list[Replication | None] = field(default_factory=list)

    @property
    def cost_R(self) -> np.ndarray:
        """Cost of each replication; NaN where it failed."""
        return np.array([np.nan if r is None else r.cost for r in self.replications])

    @property
    def growth_R(self) -> np.ndarray:
        """Difference between the second and the first half of each replication that didn't fail."""
        return np.array([r.halves[1] - r.halves[0] for r in self.replications if r is not None and r.halves])

    @property
    def grows(self) -> bool:
        """Whether the simulated cost still grows by half from the first to the second half."""
        growth_R = self.growth_R
        if len(growth_R) < 2 or self.cost is not None:
            return False
        cost = float(np.nanmean(self.cost_R))
        return mean_estimate(growth_R).low > 0 and float(growth_R.mean()) > 0.4 * abs(cost)


@dataclass(frozen=True)
class Table:
    """A policy written out; it travels to every worker.

    Attributes:
        choices: Choice by the numbers of the state.
        limits: Largest value of each number; a state beyond them is taken for the one at the limits.
        fallback: Decides in states that are left out because they hardly ever occur.
    """

    choices: Mapping[tuple[float, ...], str]
    limits: tuple[float, ...]
    fallback: Policy

    def __call__(self, state: State, choices: Sequence[str]) -> str:
        place = key(state)
        choice = self.choices.get(place)
        if choice is None:
            choice = self.choices.get(tuple(map(min, place, self.limits)))
        return choice or self.fallback(state, choices)
