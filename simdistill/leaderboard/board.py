"""The board as data: a pure function of a protocol and the metrics of its cells.

Quality is cost over the reference's, lower is better. Axes: T tasks, R runs (training seeds).
"""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations, product
from typing import Any

import numpy as np

from simdistill.evaluation.learning_curve import Curve
from simdistill.leaderboard import compare
from simdistill.leaderboard.claim import claim
from simdistill.leaderboard.protocol import Protocol
from simdistill.leaderboard.results import Refused, Result
from simdistill.simulation.streams import generator
from simdistill.statistics import geometric_estimate

SETTINGS = ("default", "in_distribution", "out_of_distribution")
COMPARED = SETTINGS[1:]
THRESHOLDS = [round(0.0025 * step, 4) for step in range(121)]
BY_SETTING = ("heuristic_gap_closed", "over_teacher", "regret_per_decision")
"""Measures of `metrics.json` that there are in every setting."""
MEASURES: dict[str, tuple[str, ...]] = {
    "forecast_skill": ("forecasts", "skill", "mean"),
    "valid_answers": ("valid_answers",),
    "questions": ("questions",),
    "tokens_trained": ("tokens", "trained"),
    "decisions_per_second": ("decisions_per_second",),
    "parameters_trained": ("parameters", "trained"),
    "parameters": ("parameters", "all"),
    "updates_by_reward": ("updates_by_reward", "all"),
    "of_them_with_gradient": ("updates_by_reward", "with_gradient"),
}
"""Of the others those that are a number of `metrics.json`, and where."""
TOGETHER = ("heuristic_gap_closed", "over_teacher")
"""Of the former, those that are shares, so that tasks can be put together."""
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
    return {
        "protocol": {
            name: getattr(protocol, name) for name in ("version", "description", "questions", "states")
        },
        "cells": [{**cell._asdict(), "run": cell in done} for cell in protocol.cells],
        "tasks": {task: _task(methods, protocol) for task, methods in runs.items()},
        "comparisons": [
            row
            for first, second in combinations(protocol.methods, 2)
            for row in compare.family(runs, first, second, COMPARED)
        ],
        "differences": _differences(runs, protocol),
        "overall": {
            method: {setting: _overall(runs, method, setting) for setting in COMPARED}
            for method in protocol.methods
        },
        "measures": {method: _measures(runs, method) for method in protocol.methods},
        "profile": {
            "thresholds": THRESHOLDS,
            **{
                setting: {
                    method: compare.profile(found, THRESHOLDS, generator((0,)))
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


def _measures(runs: Runs, method: str) -> dict[str, Any] | None:
    """Returns what a method reached and spent besides, over tasks and seeds; None where it wasn't run."""
    by_task = [[r.metrics for r in methods[method].values()] for methods in runs.values() if methods[method]]
    if not by_task:
        return None
    found: dict[str, Any] = {
        name: {
            setting: _middle([_values(metrics, name, setting, "mean") for metrics in by_task])
            for setting in COMPARED
        }
        for name in TOGETHER
    }
    measured = [_measured(metrics) for metrics in by_task]
    return found | {name: _together([values[name] for values in measured]) for name in measured[0]}


def _together(values_TR: Sequence[Sequence[float]]) -> dict | None:
    """Returns the mean over tasks with its intervals; see `compare.aggregate`."""
    known_TR = [np.array(values) for values in values_TR if values]
    return compare.aggregate(known_TR, generator((0,)))["mean"] if known_TR else None


def _middle(values_TR: Sequence[Sequence[float]]) -> dict | None:
    """Returns the median over tasks, as shares of a small gap can be of any size, and of how many tasks."""
    known_TR = [np.array(values) for values in values_TR if values]
    return compare.median(known_TR, generator((0,))) | {"tasks": len(known_TR)} if known_TR else None


def _task(methods: dict[str, dict[int, Result]], protocol: Protocol) -> dict:
    """Returns anchors and methods of one task."""
    metrics = [result.metrics for runs in methods.values() for result in runs.values()]
    return {
        "reference": metrics[0]["reference"] if metrics else None,
        "anchors": {
            name: _anchor(name, _taught(methods, protocol) if name == "teacher" else metrics[:1])
            for name in ANCHORS
        },
        "methods": {method: _method([r.metrics for r in runs.values()]) for method, runs in methods.items()},
    }


def _taught(methods: dict[str, dict[int, Result]], protocol: Protocol) -> list[Any]:
    """Returns the metrics of one run of each teacher.

    With the same seed, methods share a teacher for which they set the same fields, and it counts once. Its
    costs needn't be the same in all of their runs, as another processor rounds otherwise.
    """
    found: dict[tuple, Any] = {}
    for method, runs in methods.items():
        fields = [field for field in protocol.methods[method].overrides if field.startswith("teacher.")]
        for seed, result in runs.items():
            found.setdefault((seed, *sorted(fields)), result.metrics)
    return list(found.values())


def _anchor(name: str, metrics: Sequence[Any]) -> dict | None:
    """Returns what a policy that no method trains costs in these runs."""
    entries = [run["policies"].get(run["heuristic"] if name == "heuristic" else name) for run in metrics]
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
    return _with_unstable(stable, len(overs) - len(stable))


def _method(metrics: Sequence[Any]) -> dict | None:
    """Returns what a method reached and spent on one task, over seeds; None where it wasn't run."""
    if not metrics:
        return None
    students = [run["policies"]["student"] for run in metrics]
    unstable = {setting: (_over(students, setting) or {"unstable": 0})["unstable"] for setting in SETTINGS}
    return {
        "seeds": sorted(run["seed"] for run in metrics),
        "over_reference": {setting: _over(students, setting) for setting in SETTINGS},
        **{
            name: {
                setting: _with_unstable(_values(metrics, name, setting, "mean"), unstable[setting])
                for setting in SETTINGS
            }
            for name in BY_SETTING
        },
        **{name: compare.spread(values) for name, values in _measured(metrics).items()},
        "learning": _learning(metrics),
        "commits": sorted({str(run["commit"]) for run in metrics}),
    }


def _values(metrics: Sequence[Any], *path: str) -> list[float]:
    """Returns what is at a path in the metrics of every run that has it (R)."""
    values = metrics
    for name in path:
        values = [value.get(name) for value in values if value is not None]
    return [float(value) for value in values if value is not None]


def _measured(metrics: Sequence[Any]) -> dict[str, list[float]]:
    """Returns the measures that are the same in every setting, of every run that has them (R)."""
    steps = [run["simulator_steps"] for run in metrics]
    return {
        **{name: _values(metrics, *path) for name, path in MEASURES.items()},
        "simulator_steps": [step["teach"] + step["own_states"] for step in steps],
        "minutes": [sum(run["seconds"].values()) / 60 for run in metrics],
    }


def _with_unstable(values: Sequence[float], unstable: int) -> dict | None:
    """Returns mean and interval of the stable runs, and how many aren't among them."""
    found = compare.spread(values)
    if found is None and not unstable:
        return None
    return {**(found or {"mean": None, "ci95": None}), "unstable": unstable}


def _learning(metrics: Sequence[Any]) -> dict:
    """Returns regret on held-out questions over the heuristic's, point by point, and when it was as good.

    Who never was counts with its whole training, so that the mean is then what it takes at least.
    """
    curves = [Curve(**run["learning"]) for run in metrics]
    curves = [curve for curve in curves if curve.heuristic > 0 and curve.points]
    together = zip(*(curve.points for curve in curves), strict=False)
    heuristic_R = np.array([curve.heuristic for curve in curves])
    until = [curve.until(1.0) for curve in curves]
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
            "runs": sum(there for _, there in until),
            "of": len(curves),
            "questions": _geometric([point["questions"] for point, _ in until]),
            "minutes": _geometric([point["seconds"] / 60 for point, _ in until]),
        },
    }


def _geometric(values: Sequence[float]) -> dict | None:
    """Returns the geometric mean with its interval; None without a value."""
    return geometric_estimate(values).as_dict() | {"seeds": len(values)} if values else None


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
