"""A finished run in a few values, for programs: the paths of its files and its headline figures."""

from pathlib import Path
from typing import Any

from simdistill.results import SETTINGS, Results, TaskResults
from simdistill.runs.layout import Layout


def summary(folder: Path) -> dict[str, Any]:
    """Returns paths and headline figures of a finished run as values of JSON.

    Costs are in the task's unit; None where a policy wasn't examined or its queues grow. `gap_percent` is the
    student's cost over the reference's, in percent, and `gap_percent_ci95` its 95% interval, None if the gap
    is exact.

    Args:
        folder: The run's folder.
    """
    layout = Layout.of(folder.absolute())
    found = Results.read(layout.metrics)
    (task,) = found.tasks
    return {
        "folder": str(layout.folder),
        "metrics": str(layout.metrics),
        "report": str(layout.folder / "report.html"),
        "adapter": str(layout.adapter),
        "task": task.task,
        "method": found.method,
        "seed": found.seed,
        "reference": task.reference,
        "heuristic": task.heuristic,
        "headline": {setting: _figures(task, setting) for setting in SETTINGS},
        "seconds": sum(found.seconds.values()),
    }


def _figures(task: TaskResults, setting: str) -> dict[str, Any]:
    """Returns the costs of student, reference and heuristic in one setting, and the student's gap."""
    over = task.policies["student"].over_reference[setting]
    names = {"student": "student", "reference": task.reference, "heuristic": task.heuristic}
    costs = {role: task.policies[name].cost[setting] for role, name in names.items()}
    return {
        **{role: None if cost is None else cost.mean for role, cost in costs.items()},
        "gap_percent": None if over is None else 100 * over.mean,
        "gap_percent_ci95": [100 * over.low, 100 * over.high] if over and over.has_interval else None,
        "student_is_unstable": bool(costs["student"] and costs["student"].unstable),
    }
