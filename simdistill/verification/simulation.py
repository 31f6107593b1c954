"""The replications of one case. Axes: R replications, W windows, E edges of windows.

A steady state is measured by replication/deletion: independent replications without their warm-up (Law,
Simulation Modeling and Analysis, section 9.5.2).
"""

import math
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import numpy as np

from simdistill.simulation import TEST, Experiment, Policy
from simdistill.simulation.known_case import Measure
from simdistill.simulation.replication import Replication
from simdistill.simulation.streams import EPISODE, SeedPath
from simdistill.verification.item import Item
from simdistill.verification.trajectory import Trajectory, simulate
from simdistill.verification.verdict import Estimate, of_means, of_ratio

WINDOWS = 200
"""Number of windows of a replication; MSER-5 searches their means for the beginning of the steady state."""

NAMED_COSTS = ("cost_rate", "cost_per_period", "total_cost")
"""Measures that equal the model's cost unless the experiment defines them in another way."""


@dataclass
class Simulation:
    """The replications of one case; more can be added. Axes: R replications, W windows, E edges.

    Attributes:
        item: The case.
        experiment: The experiment in which the case is reproduced.
        policy: Policy that decides.
        times_E: Simulated times of the windows' edges.
        first: Index of the edge at which the warm-up ends.
        trajectories: The replications so far.
    """

    item: Item
    experiment: Experiment
    policy: Policy
    times_E: np.ndarray
    first: int
    trajectories: list[Trajectory] = field(default_factory=list)

    @property
    def finite(self) -> bool:
        """Whether whole runs are averaged, not a steady state."""
        return averages_whole_runs(self.item, self.experiment)

    def path(self, replication: int) -> SeedPath:
        """Returns the seed path of a replication; it depends on the case's id and the number alone."""
        return (crc32(self.item.case.id.encode()), TEST, EPISODE, replication)

    def add(self, count: int) -> None:
        """Simulates further replications."""
        begun = len(self.trajectories)
        self.trajectories += [
            simulate(
                self.item.simulator,
                self.experiment.params,
                self.policy,
                self.path(number),
                self.times_E,
                self.finite,
            )
            for number in range(begun, begun + count)
        ]

    @property
    def events(self) -> int:
        """Number of SimPy events of all replications."""
        return sum(trajectory.events for trajectory in self.trajectories)

    @property
    def names(self) -> set[str]:
        """Names of the levels, tallies and costs that the replications recorded."""
        return {name for trajectory in self.trajectories for name in trajectory.names}

    def measured(self, measure: str) -> Measure | None:
        """Returns how a measure is read from a replication: a name or a function; None if it has none."""
        found = self.experiment.measures.get(measure)
        if found is not None:
            return found
        for name in (measure, measure.removeprefix("mean_"), measure.removeprefix("p_")):
            if name in self.names:
                return name
        return (lambda replication: replication.cost) if measure in NAMED_COSTS else None

    def estimate(self, measure: Measure, component: int | None) -> Estimate:
        """Estimates a measure, or one of its components, after the warm-up."""
        terminating = self.experiment.terminating
        if isinstance(measure, str) and not self.finite:
            sums_R, weights_R = np.array([t.between(measure, self.first) for t in self.trajectories]).T
            return of_ratio(sums_R, weights_R)
        values = [
            value_of(measure, component, t.replication(terminating, self.first)) for t in self.trajectories
        ]
        values_R = np.array(values, dtype=float)
        return of_means(values_R[~np.isnan(values_R)])

    def growth(self, level: str) -> Estimate:
        """Estimates a level's growth per unit of time from the first to the last window after the warm-up."""
        last = len(self.times_E) - 1
        time = self.times_E[last] - self.times_E[self.first + 1]
        ends = [
            (t.between(level, last - 1, last), t.between(level, self.first, self.first + 1))
            for t in self.trajectories
        ]
        return of_means(np.array([(high[0] / high[1] - low[0] / low[1]) / time for high, low in ends]))

    def pooled(self, measure: Measure, component: int | None) -> np.ndarray:
        """Returns a measure's mean in every window, pooled over the replications (W)."""
        edges = range(len(self.times_E) - 1)
        if isinstance(measure, str):
            totals_WRN = np.array(
                [[t.between(measure, edge, edge + 1) for t in self.trajectories] for edge in edges]
            )
            sums_W, weights_W = totals_WRN.sum(axis=1).T
            with np.errstate(invalid="ignore", divide="ignore"):
                values_W = sums_W / weights_W
        else:
            values_W = np.array(
                [
                    np.mean(
                        [
                            value_of(measure, component, t.replication(False, e, e + 1))
                            for t in self.trajectories
                        ]
                    )
                    for e in edges
                ]
            )
        return np.where(np.isfinite(values_W), values_W, np.nanmean(values_W[np.isfinite(values_W)]))


def windows(item: Item, experiment: Experiment) -> tuple[np.ndarray, int]:
    """Returns the times of the edges of a replication's windows, and the index of the warm-up's end.

    In a steady state, windows have about the same length before and after the end of the warm-up.
    """
    warm_up, horizon = experiment.warm_up, experiment.horizon
    if averages_whole_runs(item, experiment):
        return np.array([0.0, horizon]), 0
    warm = min(WINDOWS - 1, math.ceil(WINDOWS * warm_up / (warm_up + horizon)))
    after_E = warm_up + np.linspace(0.0, horizon, WINDOWS - warm + 1)
    return np.concatenate([np.linspace(0.0, warm_up, warm + 1)[:-1], after_E]), warm


def averages_whole_runs(item: Item, experiment: Experiment) -> bool:
    """Returns whether whole runs are averaged, not a steady state; a run may end before its process does."""
    return experiment.terminating or item.case.run.get("kind") == "terminating"


def value_of(measure: Measure, component: int | None, replication: Replication) -> float:
    """Returns a measure, or one of its components, in a replication; NaN if it wasn't recorded."""
    found: Any = (
        replication.measures.get(measure, math.nan) if isinstance(measure, str) else measure(replication)
    )
    return float(found if component is None else found[component])
