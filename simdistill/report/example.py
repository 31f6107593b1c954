"""One example: a situation, the student's probability of each choice, and each choice's simulated cost."""

from collections.abc import Mapping
from typing import Any

from simdistill.report import formats


def example(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values that the page shows for an example in `examination.json`."""
    costs, errors = entry.get("costs"), entry.get("standard_errors")
    probabilities = entry.get("probabilities")
    choices = entry["choices"]
    rows = [
        {
            "label": label,
            "probability": probabilities[place] if probabilities else None,
            "cost": _difference(costs[place], errors[place] if errors else 0.0) if costs else "",
            "teacher": label == entry.get("teacher"),
            "student": label == entry.get("student"),
        }
        for place, label in enumerate(choices)
    ]
    valid = entry.get("valid", True)
    return {
        "situation": entry["situation"],
        "rows": rows,
        "agrees": entry.get("teacher") == entry.get("student"),
        "valid": valid,
        "greedy": entry.get("greedy"),
        "shows_greedy": not valid or entry.get("greedy") not in (None, entry.get("student")),
    }


def _difference(cost: float | None, error: float | None) -> str:
    if cost is None:
        return formats.NOTHING
    sign = "+" if cost > 0 else ""
    return f"{sign}{formats.fixed(cost, 2)}" + _error(error)


def _error(error: float | None) -> str:
    if error is None:
        return " ± ?"  # the simulated futures were too short to tell
    return f" ± {formats.fixed(error, 2)}" if error else ""
