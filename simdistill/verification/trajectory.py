"""One replication, with its running sums at given times. Axes: E edges of windows, N names."""

from dataclasses import dataclass

import numpy as np

from simdistill.simulation import Parameters, Policy, ProcessModel, Streams
from simdistill.simulation.policies import with_streams
from simdistill.simulation.replication import Replication, means
from simdistill.simulation.rollout import run_policy
from simdistill.simulation.streams import PLAN, SeedPath


@dataclass(frozen=True)
class Trajectory:
    """Running sums of one replication at the edges of its windows. Axes: E edges, N names.

    Attributes:
        times_E: Simulated times of the edges.
        names: Names of the levels, tallies and costs.
        totals_EN: The model's `totals` at each edge, shape (E, N, 2); the last axis is sum and weight.
        cost_E: The model's cost up to each edge; the last one includes the final cost.
        before: Levels at the beginning, by name.
        after: Levels at the end, by name.
        decisions: Number of decisions.
        events: Number of SimPy events.
        end: Simulated time at which the replication ended.
        illegal_answers: Number of illegal answers, which the fallback replaced.
    """

    times_E: np.ndarray
    names: tuple[str, ...]
    totals_EN: np.ndarray
    cost_E: np.ndarray
    before: dict[str, float]
    after: dict[str, float]
    decisions: int
    events: int
    end: float
    illegal_answers: int

    def between(self, name: str, first: int, last: int = -1) -> tuple[float, float]:
        """Returns the sum and weight of a level, tally or cost between two edges; zeros for unknown names."""
        if name not in self.names:
            return 0.0, 0.0
        column = self.names.index(name)
        total, weight = (self.totals_EN[last, column] - self.totals_EN[first, column]).tolist()
        return total, weight

    def replication(self, terminating: bool, first: int, last: int = -1) -> Replication:
        """Returns the part between two edges as a replication.

        Its cost is the total cost if the process is terminating, otherwise the cost per unit of time.
        """
        cost = float(self.cost_E[last] - self.cost_E[first])
        if not terminating:
            cost /= float(self.times_E[last] - self.times_E[first])
        measures = means(self._totals(first), self._totals(last))
        return Replication(cost, (), self.decisions, measures, self.end, self.illegal_answers)

    def _totals(self, edge: int) -> dict[str, tuple[float, float]]:
        return dict(zip(self.names, map(tuple, self.totals_EN[edge].tolist()), strict=True))


def simulate(
    simulator: type[ProcessModel],
    params: Parameters,
    policy: Policy,
    path: SeedPath,
    times_E: np.ndarray,
    whole: bool = False,
) -> Trajectory:
    """Simulates one replication and records its running sums at given times.

    Args:
        simulator: The process.
        params: Its parameters.
        policy: Decides.
        path: Seed path of the replication.
        times_E: Times of the edges; the first is 0.
        whole: Whether the run ends at the last edge, so that its final cost falls due there at the latest.
    """
    model = simulator(params, path)
    own = with_streams(policy, Streams((*path, PLAN)))
    before, totals, costs, decisions = model.levels(), [model.totals(0.0)], [model.cost(0.0)], 0
    for time in times_E[1:].tolist():
        decisions += run_policy(model, own, time)
        totals.append(model.totals(time))
        costs.append(model.cost(time))
    if model.ended or whole:
        costs[-1] += model.finish(float(times_E[-1]))
    names = tuple(totals[-1])
    return Trajectory(
        times_E,
        names,
        np.array([[known.get(name, (0.0, 0.0)) for name in names] for known in totals]).reshape(
            -1, len(names), 2
        ),
        np.array(costs),
        before,
        model.levels(),
        decisions,
        model._events,
        model.env.now,
        model.illegal_answers,
    )
