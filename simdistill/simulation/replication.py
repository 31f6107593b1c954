"""The result of a simulated replication."""

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Replication:
    """One simulated replication of a policy.

    Attributes:
        cost: Average cost per unit of time after the warm-up, or total cost of a terminating episode.
        decisions: Number of decisions taken, warm-up included.
        halves: Average cost of the first and of the second half after the warm-up; a difference that persists
            over replications shows that queues keep growing. Empty for a terminating episode.
        measures: Mean of each level over time and of each tally over observations, after the warm-up.
        time: Simulated time at the end.
        illegal_answers: How many answers the fallback replaced.
    """

    cost: float
    halves: tuple[float, ...]
    decisions: int
    measures: Mapping[str, float]
    time: float
    illegal_answers: int


def means(
    before: Mapping[str, tuple[float, float]], after: Mapping[str, tuple[float, float]]
) -> dict[str, float]:
    """Returns the mean of every level and tally between two `totals` of a model; NaN without observations."""
    found = {}
    for name, (total, weight) in after.items():
        total_before, weight_before = before.get(name, (0.0, 0.0))
        weight -= weight_before
        found[name] = (total - total_before) / weight if weight else math.nan
    return found
