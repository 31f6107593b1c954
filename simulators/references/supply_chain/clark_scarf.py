"""Optimal echelon base-stock levels of a serial system, by Clark and Scarf's recursion.

Clark and Scarf, Optimal Policies for a Multi-Echelon Inventory Problem, Management Science 6 (1960); for the
long-run average: Snyder and Shen, Fundamentals of Supply Chain Theory, section 6.2. The first stage serves
the customer. Axes: N cells of a grid of amounts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.signal import fftconvolve

from simdistill.simulation.distributions import Counts, Deterministic, of_moments

CELLS_A_DEVIATION = 200
"""Number of grid cells per standard deviation of a period's demand, for continuous demand."""

NEGLIGIBLE = 1e-12

MEAN_ALONE = ("deterministic", "exponential", "geometric", "poisson")
"""Distributions that are determined by their mean."""


@dataclass(frozen=True)
class Mass:
    """Distribution of an amount on a grid.

    Attributes:
        first: The smallest amount, in cells.
        probability_N: Probability of the smallest and each following amount.
    """

    first: int
    probability_N: np.ndarray

    def plus(self, other: "Mass") -> "Mass":
        """Returns the distribution of the sum of two independent amounts."""
        sums_N = np.clip(fftconvolve(self.probability_N, other.probability_N), 0.0, None)
        return Mass(self.first + other.first, sums_N / sums_N.sum())

    @property
    def last(self) -> int:
        return self.first + len(self.probability_N) - 1

    def before(self, values_N: np.ndarray, first: int) -> tuple[np.ndarray, int]:
        """Returns the expected values before the random amount is subtracted, and the cell of the first.

        Args:
            values_N: Values of what is left after subtraction, from the cell `first` on.
            first: Cell of the first value.
        """
        return fftconvolve(values_N, self.probability_N, "valid"), first + self.last


class SerialSystem:
    """A serial system with constant lead times; in each period demand is observed, then all stages order.

    A period costs each stage's echelon holding cost times its echelon stock. Each unit of customer backlog
    costs the backlog cost plus the first stage's holding cost.

    Args:
        demand: Distribution of a period's demand.
        lead_times: Lead time of each stage, in periods.
        holding_costs: Cost per unit and period of each stage; stock in transit costs the sender's rate.
        backlog_cost: Cost per period of each unit that customers wait for.
        fractions: Whether levels may be fractions although demand comes in whole units.
    """

    def __init__(
        self,
        demand: Any,
        lead_times: Sequence[int],
        holding_costs: Sequence[float],
        backlog_cost: float,
        fractions: bool = False,
    ):
        self.mean, self.lead_times, self.holding_costs = demand.mean, lead_times, holding_costs
        self.penalty = backlog_cost + holding_costs[0]
        self.echelon_costs = [
            h - above for h, above in zip(holding_costs, [*holding_costs[1:], 0.0], strict=True)
        ]
        self.cell, one = _gridded(demand, fractions)
        self.over_lead_time = [_over(one, time) for time in lead_times]
        everything = _over(one, sum(lead_times))
        self.highest = everything.last + 1

    def solve(self, levels: Sequence[float] | None = None) -> tuple[tuple[float, ...], float]:
        """Returns echelon base-stock levels and the cost per period under them.

        Args:
            levels: Given echelon base-stock levels; None for the optimal ones.
        """
        highest = (
            self.highest if levels is None else max(self.highest, math.ceil(max(levels) / self.cell) + 1)
        )
        lowest = 0 if levels is None else min(0, math.floor(min(levels) / self.cell) - 1)
        first = lowest - sum(mass.last for mass in self.over_lead_time)
        left_N = np.arange(first, highest + 1) * self.cell
        values_N = -self.penalty * np.minimum(left_N, 0.0)
        found: list[float] = []
        cost = math.nan
        for stage, mass in enumerate(self.over_lead_time):
            values_N, first = mass.before(values_N, first)
            position_N = (first + np.arange(len(values_N))) * self.cell
            values_N += self.echelon_costs[stage] * (position_N - self.lead_times[stage] * self.mean)
            if levels is None:
                # Takes the smallest of equally good levels; the tolerance covers the transform's rounding.
                good_N = values_N <= values_N.min() + 1e-9 * abs(values_N.min())
                found.append(float(position_N[np.argmax(good_N)]))
            else:
                found.append(levels[stage])
            cost = float(np.interp(found[stage], position_N, values_N))
            # A shortage at the next stage keeps this stage below its level; it never rises above the level.
            values_N = np.where(position_N < found[stage], values_N, cost)
        return tuple(found), cost

    @property
    def in_transit(self) -> float:
        """Cost per period of the goods in transit between stages."""
        return self.mean * sum(
            time * h for time, h in zip(self.lead_times[:-1], self.holding_costs[1:], strict=True)
        )


def _gridded(demand: Any, fractions: bool) -> tuple[float, Mass]:
    """Returns the width of a cell and a period's demand on the grid."""
    if isinstance(demand, Deterministic):
        cell = 0.01 if demand.value == round(demand.value, 2) else demand.value / 100
        return cell, Mass(round(demand.value / cell), np.ones(1))
    if isinstance(demand, Counts):
        probability_N, parts = demand.probabilities, 100 if fractions else 1
        spread_N = np.zeros((len(probability_N) - 1) * parts + 1)
        spread_N[::parts] = probability_N
        return 1.0 / parts, Mass(0, spread_N)
    cell = math.sqrt(demand.variance) / CELLS_A_DEVIATION
    first = math.floor(demand.quantile(NEGLIGIBLE) / cell)
    last = math.ceil(demand.quantile(1.0 - NEGLIGIBLE) / cell)
    edges_N = (np.arange(first, last + 2) - 0.5) * cell
    probability_N = np.diff(
        [demand.cdf(max(edge, 0.0) if demand.cdf(0.0) == 0.0 else edge) for edge in edges_N]
    )
    return cell, Mass(first, probability_N / probability_N.sum())


def _over(one: Mass, periods: int) -> Mass:
    """Returns the distribution of demand over a number of periods."""
    total = Mass(0, np.ones(1))
    for _ in range(periods):
        total = total.plus(one)
    return total


@lru_cache(maxsize=1024)
def best_levels(
    demand: str,
    mean: float,
    sd: float | None,
    lead_times: tuple[int, ...],
    holding_costs: tuple[float, ...],
    backlog_cost: float,
) -> tuple[float, ...]:
    """Returns the optimal echelon base-stock levels, reduced so that none exceeds that of a later stage."""
    if demand in MEAN_ALONE and sd != 0:
        sd = None
    system = SerialSystem(of_moments(demand, mean, sd), lead_times, holding_costs, backlog_cost)
    return effective(system.solve()[0])


def effective(levels: Sequence[float]) -> tuple[float, ...]:
    """Returns equivalent levels that don't decrease from stage to stage."""
    return tuple(min(levels[stage:]) for stage in range(len(levels)))
