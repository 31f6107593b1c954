"""Estimates the quantities of rows, and how many replications they need."""

import math
from collections.abc import Iterator, Sequence

from simdistill.simulation.known_case import Measure
from simdistill.verification.simulation import Simulation
from simdistill.verification.verdict import PRECISE, SUFFICIENT, Row

FIRST = 10
"""Number of replications in the first batch; smaller where the budget doesn't allow as many."""


def estimate_rows(simulation: Simulation, rows: Sequence[Row]) -> None:
    """Estimates each row's quantity if the simulator measures it; notes in the row if nothing gives it."""
    for row, measure, component in measured_rows(simulation, rows):
        growing = simulation.experiment.growing.get(_measure_name(row))
        if growing is not None:
            row.simulated = simulation.growth(growing)
        elif measure is not None:
            row.simulated = simulation.estimate(measure, component)
        elif row.solved is None and not row.notes:
            row.notes.append(
                f"neither simulated nor solved; the simulator measures {', '.join(sorted(simulation.names))}"
            )


def _measure_name(row: Row) -> str:
    return row.quantity.partition("[")[0]


def measured_rows(
    simulation: Simulation, rows: Sequence[Row]
) -> Iterator[tuple[Row, Measure | None, int | None]]:
    """Yields each row with its measure (None if there is none) and its component (None for a number)."""
    for row in rows:
        name, bracket, component = row.quantity.partition("[")
        yield row, simulation.measured(name), int(component[:-1]) if bracket else None


def missing_replications(simulation: Simulation, rows: Sequence[Row], per_replication: int) -> int:
    """Returns the number of further replications that the half-widths need and the budget allows.

    Args:
        simulation: The replications so far.
        rows: The rows with their estimates.
        per_replication: Number of SimPy events of one replication.
    """
    count, spent, budget = len(simulation.trajectories), simulation.events, simulation.item.budget
    excesses = (
        (budget.cheap, max((_excess(row, PRECISE) for row in rows), default=0.0)),
        (budget.most, max((_excess(row, SUFFICIENT) for row in rows), default=0.0)),
        (budget.longest, max((_excess(row, row.share) for row in rows), default=0.0)),
    )
    for most, excess in excesses:
        if spent < most and excess > 1.0:
            # Ten per cent more than the current half-widths require, but at most twice the current number.
            needed = min(2 * count, math.ceil(1.1 * count * excess**2))
            return max(1, min(needed - count, (most - spent) // per_replication))
    return 0


def _excess(row: Row, share: float) -> float:
    """Returns the half-width over the one allowed; 0 where more replications wouldn't help."""
    allowed = row.allowed(share)
    if row.simulated is None or not math.isfinite(row.simulated.half_width) or allowed == 0.0:
        return 0.0
    return row.simulated.half_width / allowed
