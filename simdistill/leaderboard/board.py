"""The board as data: a pure function of a protocol and the metrics of its cells.

Quality is cost over the reference's, lower is better. Axes: T tasks, R runs (training seeds).
"""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations, product
from typing import Any

import numpy as np

from simdistill.leaderboard import compare
from simdistill.leaderboard.claim import claim
from simdistill.leaderboard.protocol import Protocol
from simdistill.leaderboard.results import Refused, Result
from simdistill.learning import Curve
from simdistill.process.streams import generator

SETTINGS = ("default", "in_distribution", "out_of_distribution")
COMPARED = SETTINGS[1:]
THRESHOLDS = [round(0.005 * step, 3) for step in range(101)]
ANCHORS = ("untuned", "random", "heuristic", "teacher", "optimum")

Runs = dict[str, dict[str, dict[int, Result]]]
"""Task -> method -> seed -> result."""


def board(protocol: Protocol, results: Sequence[Result], refused: Sequence[Refused] = ()) -> dict[str, Any]:
    """Returns all that a board says, in plain values that are JSON.

    Args:
        protocol: What was to be run.
        results: What was run of it.
        refused: Results that don't count; they are listed.
    """
    runs: Runs = {task: {method: {} for method in protocol.methods} for task in protocol.tasks}
    for result in results:
        runs[result.cell.task][result.cell.method][result.cell.seed] = result
    done = {result.cell for result in results}
    comparisons = _comparisons(runs, protocol)
    return {
        "protocol": {
            name: getattr(protocol, name) for name in ("version", "description", "questions", "states")
        },
        "cells": [{**cell._asdict(), "run": cell in done} for cell in protocol.cells],
        "tasks": {task: _task(methods) for task, methods in runs.items()},
        "comparisons": comparisons,
        "differences": _differences(runs, protocol),
        "overall": {
            method: {setting: _overall(runs, method, setting) for setting in COMPARED}
            for method in protocol.methods
        },
        "profile": {
            "thresholds": THRESHOLDS,
            **{
                setting: {
                    method: compare.profile(found, THRESHOLDS)
                    for method in protocol.methods
                    if (found := _losses(runs, method, setting))
                }
                for setting in COMPARED
            },
        },
        "claim": claim(runs, protocol),
        "refused": [asdict(one) for one in refused],
    }


def _losses(runs: Runs, method: str, setting: str) -> list[np.ndarray]:
    """Returns a method's losses on each task that it was run on (T arrays of R)."""
    found = [compare.losses_by_seed(methods.get(method, {}), setting) for methods in runs.values()]
    return [np.array(list(loss_R.values())) for loss_R in found if loss_R]


def _overall(runs: Runs, method: str, setting: str) -> dict | None:
    found = _losses(runs, method, setting)
    return compare.aggregate(found, generator((0,))) if found else None


def _task(methods: dict[str, dict[int, Result]]) -> dict:
    """Returns anchors and methods of one task."""
    metrics = [result.metrics for runs in methods.values() for result in runs.values()]
    return {
        "reference": metrics[0]["reference"] if metrics else None,
        "anchors": {name: _anchor(name, metrics) for name in ANCHORS},
        "methods": {method: _method([r.metrics for r in runs.values()]) for method, runs in methods.items()},
    }


def _anchor(name: str, metrics: Sequence[Any]) -> dict | None:
    """Returns what a policy costs that no method trains; the teacher's is a mean over the task's runs."""
    entries = [
        run["policies"].get(run["heuristic"] if name == "heuristic" else name)
        for run in (metrics if name == "teacher" else metrics[:1])
    ]
    if not entries or entries[0] is None:
        return None
    return {
        "title": entries[0]["title"],
        "over_reference": {setting: _over(entries, setting) for setting in SETTINGS},
    }


def _over(entries: Sequence[Any], setting: str) -> dict | None:
    """Returns cost over the reference's, over runs; None where it wasn't examined."""
    examined = [entry for entry in entries if entry["cost"][setting] is not None]
    overs = [entry["over_reference"][setting] for entry in examined]
    stable = [over["mean"] for over in overs if over is not None]
    if not examined:
        return None
    return {**(compare.spread(stable) or {"mean": None, "ci95": None}), "unstable": len(overs) - len(stable)}


def _method(metrics: Sequence[Any]) -> dict | None:
    """Returns what a method reached and spent on one task, over seeds; None where it wasn't run."""
    if not metrics:
        return None

    def each(key: str, *inner: str) -> dict | None:
        values = metrics
        for name in (key, *inner):
            values = [value[name] for value in values if value is not None]
        return compare.spread([float(value) for value in values if value is not None])

    def settings(key: str) -> dict:
        return {setting: each(key, setting, "mean") for setting in SETTINGS}

    students = [run["policies"]["student"] for run in metrics]
    return {
        "seeds": sorted(run["seed"] for run in metrics),
        "over_reference": {setting: _over(students, setting) for setting in SETTINGS},
        "over_teacher": settings("over_teacher"),
        "heuristic_gap_closed": settings("heuristic_gap_closed"),
        "regret_per_decision": settings("regret_per_decision"),
        "forecast_skill": each("forecasts", "skill", "mean"),
        "valid_answers": each("valid_answers"),
        "questions": each("questions"),
        "tokens_trained": each("tokens", "trained"),
        "simulator_steps": compare.spread(
            [run["simulator_steps"]["teach"] + run["simulator_steps"]["own_states"] for run in metrics]
        ),
        "minutes": compare.spread([sum(run["seconds"].values()) / 60 for run in metrics]),
        "decisions_per_second": each("decisions_per_second"),
        "parameters_trained": each("parameters", "trained"),
        "parameters": each("parameters", "all"),
        "learning": _learning(metrics),
        "commits": sorted({str(run["commit"]) for run in metrics}),
    }


def _learning(metrics: Sequence[Any]) -> dict:
    """Returns regret on held-out questions over the heuristic's, point by point, and when it was as good."""
    curves = [Curve(**run["learning"]) for run in metrics]
    curves = [curve for curve in curves if curve.heuristic > 0 and curve.points]
    together = zip(*(curve.points for curve in curves), strict=False)
    heuristic_R = np.array([curve.heuristic for curve in curves])
    reached = [point for point, there in (curve.until(1.0) for curve in curves) if there]
    return {
        "points": [
            {
                "questions": float(np.mean([point["questions"] for point in points])),
                "minutes": float(np.mean([point["seconds"] for point in points]) / 60),
                "regret": float(np.mean([point["tune_regret"] for point in points] / heuristic_R)),
            }
            for points in together
        ],
        "as_good": {
            "runs": len(reached),
            "of": len(curves),
            "questions": compare.spread([float(point["questions"]) for point in reached]),
            "minutes": compare.spread([point["seconds"] / 60 for point in reached]),
        },
    }


def _comparisons(runs: Runs, protocol: Protocol) -> list[dict]:
    """Compares every two methods on every task; p-values are adjusted within each two methods."""
    rows = []
    for first, second in combinations(protocol.methods, 2):
        family = [
            {"first": first, "second": second, "task": task, "setting": setting, **found}
            for task, methods in runs.items()
            for setting in COMPARED
            if (found := compare.on_task(methods, first, second, setting))
        ]
        adjusted = compare.holm([row["p"] for row in family])
        rows += [
            row | {"p_holm": p, "verdict": _verdict(row, p)} for row, p in zip(family, adjusted, strict=True)
        ]
    return rows


def _differences(runs: Runs, protocol: Protocol) -> list[dict]:
    """Returns how much nearer the first of every two methods is over all tasks on which both were run."""
    rows = []
    for (first, second), setting in product(combinations(protocol.methods, 2), COMPARED):
        both = [
            [compare.losses_by_seed(methods[name], setting) for name in (first, second)]
            for methods in runs.values()
        ]
        found_TR = [found_R for pair in both if len(found_R := compare.differences(*pair))]
        if found_TR:
            found = compare.aggregate(found_TR, generator((0,)))
            rows.append({"first": first, "second": second, "setting": setting, **found})
    return rows


def _verdict(row: dict, p: float | None) -> str:
    """Returns whether the first method is better, worse, or whether it is a tie."""
    if p is None:
        return "unknown"
    return compare.side(row["ci95"]) if p < compare.LEVEL else "tie"
