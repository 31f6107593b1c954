"""Checks whether a warm-up was long enough. Axes: S starts, M measures, R replications.

There are two checks. MSER-5 on the pooled output may find a later end of the warm-up, which is then used. If
the experiment has a second starting state, runs from both states must agree after the warm-up.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from simdistill.simulation.known_case import Measure
from simdistill.verification.estimates import FIRST, estimate_rows, measured_rows
from simdistill.verification.simulation import Simulation, value_of
from simdistill.verification.verdict import SUFFICIENT, Row, mser5, of_means

SURELY = 3.0
"""Number of standard errors beyond which two starting states, or two parts of a run, differ."""


def check_warm_up(simulation: Simulation, rows: Sequence[Row]) -> None:
    """Lengthens the warm-up if MSER-5 finds a later end; marks rows whose warm-up isn't long enough."""
    measured = [(row, m, component) for row, m, component in measured_rows(simulation, rows) if m is not None]
    ends = [_end_of_warm_up(simulation, measure, component) for _, measure, component in measured]
    later = max((deleted for deleted, limit in ends if not limit), default=0)
    if later > simulation.first:
        simulation.first = later
        estimate_rows(simulation, rows)
        for row, _, _ in measured:
            row.notes.append(f"MSER-5 lengthened the warm-up to {simulation.times_E[later]:g}")
    apart = _starts_apart(simulation, [(measure, component) for _, measure, component in measured])
    for number, (row, _, _) in enumerate(measured):
        if apart is not None and apart[number] > row.allowed(SUFFICIENT / 4):
            row.sound = False
            row.notes.append(
                f"the warm-up is too short: two starting states still differ by {apart[number]:.3g}"
            )
        elif apart is None and ends[number][1]:
            row.sound = False
            row.notes.append("MSER-5 finds no steady state within the horizon")


def _end_of_warm_up(simulation: Simulation, measure: Measure, component: int | None) -> tuple[int, bool]:
    """Returns the edge at which MSER-5 ends the warm-up, and whether MSER-5 reaches its limit without an end.

    A later end only counts if the mean of the deleted part differs significantly from the rest: in a steady
    state MSER-5 deletes bursts.
    """
    first, (edge, limit) = simulation.first, mser5(simulation.pooled(measure, component))
    if edge <= first:
        return first, False
    parts = [(t.replication(False, first, edge), t.replication(False, edge)) for t in simulation.trajectories]
    difference_R = np.array(
        [value_of(measure, component, a) - value_of(measure, component, b) for a, b in parts]
    )
    found = of_means(difference_R[np.isfinite(difference_R)])
    return (edge, limit) if abs(found.mean) > SURELY * found.error else (first, False)


def _starts_apart(
    simulation: Simulation, measures: Sequence[tuple[Measure, int | None]]
) -> list[float] | None:
    """Returns a lower bound of each mean's change by a second starting state; None if there is no second one.

    Both starts share common random numbers. They are compared right after the warm-up, over a time as long as
    the warm-up; the difference is then averaged over the horizon.
    """
    experiment, warm_up = simulation.experiment, float(simulation.times_E[simulation.first])
    if experiment.other_start is None or warm_up <= 0.0:
        return None
    times_E = np.array([0.0, warm_up, 2.0 * warm_up])
    values_SMR = []  # starts, measures, replications
    for params in (experiment.params, experiment.other_start):
        short = Simulation(simulation.item, replace(experiment, params=params), simulation.policy, times_E, 1)
        short.add(2 * FIRST)
        found = [trajectory.replication(False, 1) for trajectory in short.trajectories]
        values_SMR.append([[value_of(m, component, one) for one in found] for m, component in measures])
    differences_MR = np.subtract(*np.array(values_SMR))
    estimates = [of_means(difference_R[np.isfinite(difference_R)]) for difference_R in differences_MR]
    share = min(1.0, warm_up / experiment.horizon)
    return [share * max(0.0, abs(e.mean) - SURELY * e.error) for e in estimates]
