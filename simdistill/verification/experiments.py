"""Runs known cases in their simulators."""

import math
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from simdistill.errors import InputError, ProcessError
from simdistill.executors import Map
from simdistill.simulation import Experiment
from simdistill.verification.estimates import FIRST, estimate_rows, missing_replications
from simdistill.verification.item import Item
from simdistill.verification.laws import laws
from simdistill.verification.simulation import Simulation, windows
from simdistill.verification.verdict import Row, Verdict
from simdistill.verification.warm_up import check_warm_up


def run(items: Sequence[Item], compute: Map, done: Callable[[Item], None] = lambda item: None) -> list[Row]:
    """Runs all cases and returns their rows.

    Args:
        items: The cases.
        compute: Maps a function over cases, in several processes where possible.
        done: Called after each case.

    Returns:
        The rows of all cases; only those of failed cases have verdicts already.
    """
    rows: list[Row] = []
    for item, found in zip(items, compute(run_case, items), strict=True):
        rows += found
        done(item)
    return rows


def run_case(item: Item) -> list[Row]:
    """Solves and simulates one case, and returns its rows."""
    rows: list[Row] = []
    try:
        experiment = item.experiment()
        rows += _rows(item, experiment)
        if experiment.policy is not None:
            simulation = Simulation(item, experiment, experiment.policy, *windows(item, experiment))
            rows += _simulated(simulation, rows)
    except Exception as error:  # a case that fails mustn't keep the others from being verified
        failed = rows or [Row(item.name, item.case.id, "all", math.nan, 0.0, "")]
        for row in failed:
            row.verdict = Verdict.FAILED
        failed[0].notes.append(_reason(error))
        return failed
    return rows


def _reason(error: Exception) -> str:
    if isinstance(error, InputError | ProcessError | NotImplementedError):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({place.filename}, line {place.lineno})"


def _rows(item: Item, experiment: Experiment) -> list[Row]:
    """Returns a row with the solver's value for every known figure, or for each component of a list."""
    exact = {e["measure"] for e in item.case.expected if e["source"].startswith("exact")}
    solved: dict[str, Any] = {
        measure: experiment.solved[measure]()
        for measure in dict.fromkeys(e["measure"] for e in item.case.expected)
        if measure in experiment.solved
    }
    rows = []
    for expected in item.case.expected:
        measure, value, source = expected["measure"], expected["value"], expected["source"]
        for quantity, component, figure in _components(measure, value):
            row = Row(item.name, item.case.id, quantity, figure, expected["tolerance"], source)
            if measure in solved:
                row.solved = float(solved[measure] if component is None else solved[measure][component])
            row.exact_beside = not source.startswith("exact") and measure in exact
            row.growing = measure in experiment.growing
            rows.append(row)
    return rows


def _components(measure: str, value: float | Sequence[float]) -> Iterator[tuple[str, int | None, float]]:
    """Yields the name, component and value of each number of an answer."""
    if isinstance(value, Sequence):
        for component, figure in enumerate(value):
            yield f"{measure}[{component}]", component, float(figure)
    else:
        yield measure, None, float(value)


def _simulated(simulation: Simulation, rows: Sequence[Row]) -> list[Row]:
    """Simulates a case, writes the estimates into its rows, and returns the rows of the laws."""
    experiment = simulation.experiment
    simulation.add(1)
    estimate_rows(simulation, rows)
    if all(row.tolerance == 0.0 and row.p_value == 1.0 for row in rows) and experiment.terminating and rows:
        return laws(simulation)  # the case is deterministic, and every value is exactly right
    per_replication = max(1, simulation.events)
    simulation.add(min(FIRST, max(4, simulation.item.budget.most // per_replication)) - 1)
    estimate_rows(simulation, rows)
    while (more := missing_replications(simulation, rows, per_replication)) > 0:
        simulation.add(more)
        estimate_rows(simulation, rows)
    if not simulation.finite and not experiment.growing:
        check_warm_up(simulation, rows)
    return laws(simulation)
