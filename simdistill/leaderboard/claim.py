"""The claim that a board tests, condition by condition.

At the same budget, simulator-consistent distillation brings a student nearer to the reference than imitation
does, and than imitation followed by reinforcement learning does; and near enough to be useful. Each condition
is met, not met, or undecided if the intervals are too wide.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from simdistill.leaderboard import aggregates, compare
from simdistill.leaderboard.protocol import Protocol
from simdistill.leaderboard.results import Result
from simdistill.results import TaskResults
from simdistill.simulation.streams import generator

SUBJECT = "simdistill"
RIVALS = ("sft", "sft_grpo")
SHARE = 0.75
LIMITS = {"in_distribution": 0.03, "out_of_distribution": 0.08}
LEAST_BETTER = 2
"""Number of tasks on which the student must be better than the practitioner's heuristic."""
LEAST_UPDATES = 50
"""Smallest number of GRPO updates with which `sft_grpo` counts as trained."""

NOTHING = {"mean": None, "ci95": None, "seeds": 0, "p": None, "p_holm": None, "verdict": "unknown"}
"""The row of a comparison without a common seed."""

Methods = Mapping[str, Mapping[int, Result]]
"""Method -> seed -> result, of one task."""


def claim(runs: Mapping[str, Methods], protocol: Protocol) -> dict[str, Any] | None:
    """Returns the verdict with every condition and its numbers, on the tasks that `SUBJECT` was run on.

    Returns None if the protocol doesn't have all of the claim's methods.

    Args:
        runs: Task -> method -> seed -> result.
        protocol: The protocol, with the planned cells.
    """
    if not {SUBJECT, *RIVALS} <= protocol.methods.keys():
        return None
    tasks = {task: methods for task, methods in runs.items() if methods.get(SUBJECT)}
    untrained = _untrained(tasks)
    planned = [cell for cell in protocol.cells if cell.method in (SUBJECT, *RIVALS)]
    done = sum(cell.seed in runs[cell.task].get(cell.method, {}) for cell in planned)
    conditions = [row for rival in RIVALS if rival not in untrained for row in _nearer(tasks, rival)]
    conditions += [_close(tasks, setting) for setting in LIMITS]
    conditions.append(_useful(tasks, len(protocol.tasks)))
    met = [condition["met"] for condition in conditions]
    verdict = "refuted" if False in met else "established" if all(met) else "not decided"
    return {
        "verdict": verdict,
        "conditions": conditions,
        "not_trained": untrained,
        "cells": {"run": done, "planned": len(planned)},
        "tasks_not_run": [task for task in protocol.tasks if task not in tasks],
    }


def _untrained(tasks: Mapping[str, Methods]) -> list[str]:
    """Returns `["sft_grpo"]` if one of its runs has made too few GRPO updates; else an empty list."""
    last = [result.run.updates[-1] for m in tasks.values() for result in m.get("sft_grpo", {}).values()]
    return ["sft_grpo"] if last and min(last) < LEAST_UPDATES else []


def _nearer(tasks: Mapping[str, Methods], rival: str) -> list[dict]:
    """Returns conditions: `SUBJECT` is nearer to the reference than a rival on most tasks, farther on none.

    There is one condition for each setting. P-values are adjusted for the number of all tasks and settings.
    """
    rows = compare.family(tasks, SUBJECT, rival, tuple(LIMITS))
    needed = max(1, math.ceil(SHARE * len(tasks)))
    conditions = []
    for setting in LIMITS:
        found = {row["task"]: row for row in rows if row["setting"] == setting}
        compared = [{"task": task, **found.get(task, NOTHING)} for task in tasks]
        verdicts = [row["verdict"] for row in compared]
        better, worse = verdicts.count("better"), verdicts.count("worse")
        conditions.append(
            {
                "condition": f"nearer to the reference than {rival} on at least {needed} of {len(tasks)} "
                f"tasks and farther on none, {setting.replace('_', ' ')}",
                "met": False if worse else True if better >= needed else None,
                "better": better,
                "worse": worse,
                "tasks": compared,
            }
        )
    return conditions


def _close(tasks: Mapping[str, Methods], setting: str) -> dict:
    """Returns the condition that the median over tasks is near enough to the reference."""
    limit = LIMITS[setting]
    found_DR = [compare.losses_by_seed(methods[SUBJECT], setting) for methods in tasks.values()]
    losses_DR = [np.array(list(loss_R.values())) for loss_R in found_DR if loss_R]
    found = aggregates.median(losses_DR, generator((0,))) if losses_DR else {"mean": None, "ci95": None}
    return {
        "condition": f"median over tasks at most {limit:.0%} over the reference, {setting.replace('_', ' ')}",
        "met": _at_most(found, limit),
        "limit": limit,
        **found,
    }


def _at_most(found: Mapping[str, Any], limit: float) -> bool | None:
    """Returns whether a median is at most a limit; None without an interval, or if it contains the limit."""
    if found["ci95"] is None:
        return None
    low, high = found["ci95"]
    return True if high <= limit else False if low > limit else None


def _useful(tasks: Mapping[str, Methods], planned: int) -> dict:
    """Returns the condition that the student is better than the heuristic on `LEAST_BETTER` planned tasks."""
    setting = "in_distribution"
    rows = []
    for task, methods in tasks.items():
        student_R = compare.losses_by_seed(methods[SUBJECT], setting)
        heuristic_R = compare.losses_by_seed(methods[SUBJECT], setting, _heuristic)
        rows.append({"task": task, **(compare.paired(student_R, heuristic_R) or NOTHING)})
    rows = compare.adjusted(rows)
    verdicts = [row["verdict"] for row in rows]
    better, open_ = verdicts.count("better"), planned - verdicts.count("worse")
    return {
        "condition": f"better than the heuristic on at least {LEAST_BETTER} tasks, in distribution",
        "met": True if better >= LEAST_BETTER else False if open_ < LEAST_BETTER else None,
        "better": better,
        "tasks": rows,
    }


def _heuristic(task: TaskResults) -> str:
    return task.heuristic
