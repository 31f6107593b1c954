"""Conversion of results in layout 2, which had a single task, to layout 3."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

MOVED = {
    "task": "tasks/0/task",
    "reference": "tasks/0/reference",
    "heuristic": "tasks/0/heuristic",
    "policies": "tasks/0/policies",
    "over_reference": "tasks/0/measures/over_reference",
    "teacher_over_reference": "tasks/0/policies/teacher/over_reference",
    "heuristic_gap_closed": "tasks/0/measures/heuristic_gap_closed",
    "over_teacher": "tasks/0/measures/over_teacher",
    "regret_per_decision": "tasks/0/measures/regret_per_decision",
    "valid_answers": "tasks/0/valid_answers",
    "said_instead_of_choices": "tasks/0/said_instead_of_choices",
    "answer_mass": "tasks/0/answer_mass",
    "untuned_valid_answers": "tasks/0/untuned_valid_answers",
    "teacher_valid_answers": "tasks/0/teacher_valid_answers",
    "forecasts/skill": "tasks/0/measures/forecast_skill/in_distribution",
    "forecasts": "tasks/0/forecasts",
    "questions_asked": "tasks/0/questions_asked",
    "simulator_steps": "tasks/0/simulator_steps",
    "states_searched": "tasks/0/states_searched",
    "generations": "tasks/0/generations",
    "failed_rollouts": "tasks/0/failed_rollouts",
}
"""Path in layout 2 -> path in layout 3.

A path includes everything below it, except for the longer paths that are listed themselves.
"""

RENAMED = {
    "tune_regret": "validation_regret",
    "tune_agreement": "validation_agreement",
    "tune_validity": "validation_validity",
    "futures_that_met": "futures_coupled",
}
"""Old name -> present name of a row's field.

Rows are points of the learning curve, lines of `metrics.jsonl`, and generations.
"""


def migrated(old: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a document of layout 2 converted to layout 3."""
    rest = deepcopy(dict(old))
    task: dict[str, Any] = {"measures": {}}
    new: dict[str, Any] = {"layout": 3, "tasks": [task]}
    for path, place in MOVED.items():
        below = rest
        *parents, name = path.split("/")
        for parent in parents:
            below = (below.get(parent) if isinstance(below, dict) else None) or {}
        if isinstance(below, dict) and name in below:
            _put(task, place.removeprefix("tasks/0/"), below.pop(name))
    task["generations"] = _renamed_rows(task.get("generations"))
    learning = rest.get("learning")
    if isinstance(learning, dict):
        learning["points"] = _renamed_rows(learning.get("points"))
    return new | {name: value for name, value in rest.items() if name != "layout"}


def renamed_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a row with its fields' present names."""
    return {RENAMED.get(name, name): value for name, value in row.items()}


def _renamed_rows(rows: Any) -> Any:
    """Returns rows with their fields' present names; other values unchanged, for the validation to refuse."""
    if not isinstance(rows, list):
        return rows
    return [renamed_row(row) if isinstance(row, dict) else row for row in rows]


def _put(document: dict[str, Any], path: str, value: Any) -> None:
    *parents, name = path.split("/")
    for parent in parents:
        below = document.setdefault(parent, {}) if isinstance(document, dict) else None
        if not isinstance(below, dict):
            return
        document = below
    document[name] = value
