"""Checks two laws that hold for any simulator: Little's law and conservation of entities.

The checks read the levels and tallies that a simulator keeps under the following names. A simulator with
several kinds of entities appends a suffix (`in_system_patients`, `time_in_system_patients`, …):

- `self.level("in_system", n)`: number of entities inside; called whenever it changes;
- `self.tally("arrived", 1)`: an entity has come in (an entity that was turned away hasn't);
- `self.tally("time_in_system", t)`: an entity leaves, after a time t inside; or `self.tally("left", n)` where
  the model keeps no times, as for units of stock.

Little's law: mean number inside = throughput x mean time inside. Conservation: the entities inside at the
beginning and those that arrived have left or are still inside.
"""

import numpy as np

from simdistill.verification.simulation import Simulation
from simdistill.verification.trajectory import Trajectory
from simdistill.verification.verdict import Estimate, Row, of_ratio

INSIDE, ARRIVED, TIMES, LEFT = "in_system", "arrived", "time_in_system", "left"

LITTLE, CONSERVATION = "Little's law", "conservation of entities"

LAW = "law"
"""Source that the rows of the laws have."""

LOST = 1e-6
"""Number of lost entities below which the loss is rounding error; entities may be amounts, such as stock."""

LITTLE_TOLERANCE = 0.002
"""Tolerance of Little's law's ratio; entities inside at the ends of a long replication distort it so much."""


def laws(simulation: Simulation) -> list[Row]:
    """Returns rows that check Little's law and conservation of entities in the replications of a case."""
    names = simulation.names
    kinds = [name.removeprefix(INSIDE) for name in sorted(names) if name.startswith(INSIDE)]
    kinds = [kind for kind in kinds if TIMES + kind in names or LEFT + kind in names]
    if not kinds:
        missing = [name for name in (INSIDE, TIMES, ARRIVED) if name not in names]
        note = f"the simulator records no {', '.join(missing)}; see simdistill.verification.laws"
        rows = [_law(simulation, LITTLE, 1.0, 0.0), _law(simulation, CONSERVATION, 0.0, 0.0)]
        for row in rows:
            row.notes.append(note)
        return rows
    return [row for kind in kinds for row in (*_little(simulation, kind), *_conservation(simulation, kind))]


def _little(simulation: Simulation, kind: str) -> list[Row]:
    """Returns the row of Little's law: mean number inside over throughput x mean time inside.

    The ratio is 1 in the long run, and in episodes that end empty; other episodes aren't counted.
    """
    episodes = [t for t in simulation.trajectories if t.after[INSIDE + kind] == 0]
    counted = episodes if simulation.finite else simulation.trajectories
    if not counted or simulation.experiment.growing or TIMES + kind not in simulation.names:
        return []
    inside_R = np.array([t.between(INSIDE + kind, simulation.first)[0] for t in counted])
    times_R = np.array([t.between(TIMES + kind, simulation.first)[0] for t in counted])
    if not times_R.any():
        return []  # every entity left at the time at which it came
    row = _law(simulation, LITTLE + kind.replace("_", " "), 1.0, LITTLE_TOLERANCE)
    row.simulated = of_ratio(inside_R, times_R)
    return [row]


def _conservation(simulation: Simulation, kind: str) -> list[Row]:
    """Returns the row of conservation: number of entities lost in the replication with the largest loss."""
    row = _law(simulation, CONSERVATION + kind.replace("_", " "), 0.0, 0.0)
    if ARRIVED + kind not in simulation.names:
        row.notes.append(f"no {ARRIVED + kind}: the simulator doesn't tally arrivals")
        return [row]
    lost = [
        t.before.get(INSIDE + kind, 0.0)
        + t.between(ARRIVED + kind, 0)[0]
        - _left(t, kind)
        - t.after[INSIDE + kind]
        for t in simulation.trajectories
    ]
    worst = max(lost, key=abs)
    row.simulated = Estimate(0.0 if abs(worst) < LOST else worst, 0.0, len(lost))
    return [row]


def _left(trajectory: Trajectory, kind: str) -> float:
    if LEFT + kind in trajectory.names:
        return trajectory.between(LEFT + kind, 0)[0]
    return trajectory.between(TIMES + kind, 0)[1]


def _law(simulation: Simulation, law: str, value: float, tolerance: float) -> Row:
    return Row(simulation.item.name, simulation.item.case.id, law, value, tolerance, LAW)
