"""Rows of a benchmark's table: makes, prints and writes them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from rich.console import Console
from rich.table import Table

from simdistill.files import write_json
from simdistill.runs.environment import environment
from simdistill.statistics import geometric_estimate

Found = tuple[float, list[float] | None]
"""A value with its 95% interval, or None if there is no interval."""
Bound = Literal["at_least", "at_most"]
"""Which side of its target a value should be on."""


def geometric(values: Sequence[float] | np.ndarray) -> Found:
    """Returns the geometric mean of rates or ratios, one per round; a single value has no interval."""
    found = geometric_estimate(values)
    return found.mean, found.ci95


def row(
    measure: str,
    found: tuple[float | None, list[float] | None],
    command: str,
    target: float | None = None,
    bound: Bound = "at_least",
) -> dict:
    """Returns a row in the layout of `benchmarks/results`."""
    value, interval = found
    return {
        "measure": measure,
        "value": value,
        "ci95": interval,
        "target": target,
        "bound": None if target is None else bound,
        "command": command,
    }


def show(rows: Sequence[dict], path: Path | None, measured: bool = True) -> None:
    """Prints the rows, and writes them to a file.

    Args:
        rows: Rows in the layout of `row`.
        path: File to write; None to write nothing.
        measured: Whether the rows were measured on this machine; the file then names machine and versions.
    """
    table = Table("measure", "value", "95% interval", "target")
    for entry in rows:
        interval = entry["ci95"]
        shown = "" if interval is None else f"{interval[0]:.3g} to {interval[1]:.3g}"
        target = "" if entry["target"] is None else f"{entry['bound'].replace('_', ' ')} {entry['target']:g}"
        table.add_row(entry["measure"], f"{entry['value']:.3g}", shown, target)
    Console().print(table)
    if path is not None:
        where = place(environment()) if measured else {}
        write_json(path, [entry | where for entry in rows])


def place(environment: dict) -> dict[str, str]:
    """Returns the machine and the versions of a measurement.

    Args:
        environment: Contents of a run's `environment.json`.
    """
    machine, versions = environment["machine"], environment["versions"]
    return {
        "machine": f"{machine['processor']}, {machine['cores']} cores",
        "by": f"torch {versions['torch']}, simdistill at {environment['commit'] or 'no commit'}",
    }
