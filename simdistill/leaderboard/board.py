"""The leaderboard as data: a pure function of a protocol and the results of its cells.

Methods are compared by the student's cost over the reference's; lower is better.
Axes: D tasks, R runs (training seeds).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from itertools import chain, combinations, product
from typing import Any

import numpy as np

from simdistill import registry
from simdistill.leaderboard import aggregates, compare
from simdistill.leaderboard.claim import claim
from simdistill.leaderboard.learning import learning
from simdistill.leaderboard.protocol import Protocol
from simdistill.leaderboard.results import Refused, Result
from simdistill.results import SETTINGS, PolicyResults
from simdistill.simulation.streams import generator
from simdistill.statistics import Estimate

COMPARED = SETTINGS[1:]
THRESHOLDS = [round(0.0025 * step, 4) for step in range(121)]
NUMBERS: dict[str, Callable[[Result], float | None]] = {
    "forecast_skill": lambda result: _mean(result.task.measure("forecast_skill", "in_distribution")),
    "valid_answers": lambda result: result.task.valid_answers,
    "questions": lambda result: result.run.questions,
    "tokens_trained": lambda result: result.run.tokens.trained,
    "decisions_per_second": lambda result: result.run.decisions_per_second,
    "parameters_trained": lambda result: result.run.parameters.trained,
    "parameters": lambda result: result.run.parameters.all,
    "updates_by_reward": lambda result: result.run.updates_by_reward and result.run.updates_by_reward.all,
    "of_them_with_gradient": lambda result: (
        result.run.updates_by_reward and result.run.updates_by_reward.with_gradient
    ),
    "simulator_steps": lambda result: (
        result.task.simulator_steps.teach + result.task.simulator_steps.own_states
    ),
    "minutes": lambda result: sum(result.run.seconds.values()) / 60,
}
"""Name -> function that returns a number of a run which is the same in all settings, or None."""
SHOWN_ELSEWHERE = ("over_reference", "forecast_skill")
"""Names of measures that a board shows separately from the other measures."""
ANCHORS = ("untuned", "random", "heuristic", "teacher", "optimum")

Runs = dict[str, dict[str, dict[int, Result]]]
"""Task -> method -> seed -> result."""


def board(protocol: Protocol, results: Sequence[Result], refused: Sequence[Refused] = ()) -> dict[str, Any]:
    """Returns the whole board as plain values that can be written as JSON.

    Args:
        protocol: The protocol, which defines the cells.
        results: The results of the cells that were run.
        refused: Results that don't count; the board lists them.
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
                    method: aggregates.profile(found, THRESHOLDS, generator((0,)))
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
    """Returns a method's losses on each task that it was run on (D arrays of R)."""
    found = [compare.losses_by_seed(methods.get(method, {}), setting) for methods in runs.values()]
    return [np.array(list(loss_R.values())) for loss_R in found if loss_R]


def _overall(runs: Runs, method: str, setting: str) -> dict | None:
    found = _losses(runs, method, setting)
    return aggregates.aggregate(found, generator((0,))) if found else None


def by_setting(results: Iterable[Result]) -> list[str]:
    """Returns the names of the runs' measures by setting, without `SHOWN_ELSEWHERE`, in the runs' order."""
    names = {name: None for result in results for name in result.task.measures}
    return [name for name in names if name not in SHOWN_ELSEWHERE]


def relative(name: str) -> bool:
    """Returns whether a measure is independent of a task's cost unit, so that tasks can be aggregated."""
    return name in registry.names("metrics") and registry.load("metrics", name).relative


def _measures(runs: Runs, method: str) -> dict[str, Any] | None:
    """Returns a method's further measures and numbers over tasks and seeds; None if it wasn't run."""
    by_task = [list(methods[method].values()) for methods in runs.values() if methods[method]]
    if not by_task:
        return None
    names = [name for name in by_setting(chain.from_iterable(by_task)) if relative(name)]
    found: dict[str, Any] = {
        name: {
            setting: _middle([_values(results, name, setting) for results in by_task]) for setting in COMPARED
        }
        for name in names
    }
    measured = [_measured(results) for results in by_task]
    return found | {name: _together([values[name] for values in measured]) for name in NUMBERS}


def _together(values_DR: Sequence[Sequence[float]]) -> dict | None:
    """Returns the mean over tasks with its intervals; see `aggregates.aggregate`."""
    known_DR = [np.array(values) for values in values_DR if values]
    return aggregates.aggregate(known_DR, generator((0,)))["mean"] if known_DR else None


def _middle(values_DR: Sequence[Sequence[float]]) -> dict | None:
    """Returns the median over tasks and the number of tasks.

    The median is robust: a measure that is a share of a small gap can have any size.
    """
    known_DR = [np.array(values) for values in values_DR if values]
    if not known_DR:
        return None
    return aggregates.median(known_DR, generator((0,))) | {"tasks": len(known_DR)}


def _task(methods: dict[str, dict[int, Result]], protocol: Protocol) -> dict:
    """Returns the reference, the anchors and the methods' results of one task."""
    results = [result for runs in methods.values() for result in runs.values()]
    return {
        "reference": results[0].task.reference if results else None,
        "anchors": {
            name: _anchor(name, _taught(methods, protocol) if name == "teacher" else results[:1])
            for name in ANCHORS
        },
        "methods": {method: _method(list(runs.values())) for method, runs in methods.items()},
    }


def _taught(methods: dict[str, dict[int, Result]], protocol: Protocol) -> list[Result]:
    """Returns one run for each different teacher.

    Methods with the same seed and the same fields of the teacher share one teacher, which counts once. Its
    costs may differ slightly between these runs, as processors round differently.
    """
    found: dict[tuple, Result] = {}
    for method, runs in methods.items():
        fields = [field for field in protocol.methods[method].overrides if field.startswith("teacher.")]
        for seed, result in runs.items():
            found.setdefault((seed, *sorted(fields)), result)
    return list(found.values())


def _anchor(name: str, results: Sequence[Result]) -> dict | None:
    """Returns the costs over the reference of an anchor, a policy that no method trains."""
    tasks = [result.task for result in results]
    policies = [task.policies.get(task.heuristic if name == "heuristic" else name) for task in tasks]
    known = [policy for policy in policies if policy is not None]
    if not known or policies[0] is None:
        return None
    return {
        "title": known[0].title,
        "over_reference": {setting: _over(known, setting) for setting in SETTINGS},
    }


def _over(policies: Sequence[PolicyResults], setting: str) -> dict | None:
    """Returns the mean over runs of the cost over the reference's; None if the policy wasn't examined."""
    overs = [policy.over_reference[setting] for policy in policies if policy.cost[setting] is not None]
    stable = [over.mean for over in overs if over is not None]
    return _with_unstable(stable, len(overs) - len(stable))


def _method(results: Sequence[Result]) -> dict | None:
    """Returns a method's measures and resources on one task, over seeds; None if it wasn't run."""
    if not results:
        return None
    students = [result.task.policies["student"] for result in results]
    unstable = {setting: (_over(students, setting) or {"unstable": 0})["unstable"] for setting in SETTINGS}
    return {
        "seeds": sorted(result.run.seed for result in results),
        "over_reference": {setting: _over(students, setting) for setting in SETTINGS},
        **{
            name: {
                setting: _with_unstable(_values(results, name, setting), unstable[setting])
                for setting in SETTINGS
            }
            for name in by_setting(results)
        },
        **{name: compare.spread(values) for name, values in _measured(results).items()},
        "learning": learning([result.run.learning for result in results]),
        "commits": sorted({str(result.run.commit) for result in results}),
    }


def _mean(estimate: Estimate | None) -> float | None:
    return None if estimate is None else estimate.mean


def _values(results: Iterable[Result], measure: str, setting: str) -> list[float]:
    """Returns the values of a measure in one setting, for the runs that have it (R)."""
    found = [_mean(result.task.measure(measure, setting)) for result in results]
    return [float(value) for value in found if value is not None]


def _measured(results: Sequence[Result]) -> dict[str, list[float]]:
    """Returns the name of each of `NUMBERS` -> its values in the runs that have it (R)."""
    found = {name: [number(result) for result in results] for name, number in NUMBERS.items()}
    return {name: [float(value) for value in values if value is not None] for name, values in found.items()}


def _with_unstable(values: Sequence[float], unstable: int) -> dict | None:
    """Returns mean and interval over the stable runs, and the number of unstable runs."""
    found = compare.spread(values)
    if found is None and not unstable:
        return None
    return {**(found or {"mean": None, "ci95": None}), "unstable": unstable}


def _differences(runs: Runs, protocol: Protocol) -> list[dict]:
    """Returns, for every two methods, how much lower the first one's losses are, over their common tasks."""
    rows = []
    for (first, second), setting in product(combinations(protocol.methods, 2), COMPARED):
        both = [
            [compare.losses_by_seed(methods[name], setting) for name in (first, second)]
            for methods in runs.values()
        ]
        found_DR = [found_R for pair in both if len(found_R := compare.differences(*pair))]
        if found_DR:
            found = aggregates.aggregate(found_DR, generator((0,)))
            rows.append({"first": first, "second": second, "setting": setting, **found})
    return rows
