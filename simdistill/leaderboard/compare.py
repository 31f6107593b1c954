"""Comparison of two methods on one task. Differences are paired by training seed, on the same parameters.

Axes: R runs (training seeds) of a method on a task.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from simdistill.leaderboard.results import Result
from simdistill.results import TaskResults
from simdistill.statistics import Estimate, holm, mean_estimate

LIMIT = 1.0
"""Largest loss, used for a student whose queues grow or whose cost is more than twice the reference's."""
LEVEL = 0.05


def loss(over: Estimate | None) -> float:
    """Returns a policy's loss: cost over the reference's, at most `LIMIT`; `LIMIT` for an unstable policy."""
    return LIMIT if over is None else min(float(over.mean), LIMIT)


def _student(task: TaskResults) -> str:
    return "student"


def losses_by_seed(
    runs: Mapping[int, Result],
    setting: str,
    policy: Callable[[TaskResults], str] = _student,
) -> dict[int, float]:
    """Returns seed -> loss of a method on a task.

    Seeds for which the reference itself has no cost in this setting are left out.

    Args:
        runs: Seed -> result.
        setting: The setting of the examination.
        policy: Returns the name of the policy in question from a task's results; by default the student.
    """
    return {
        seed: loss(task.policies[policy(task)].over_reference[setting])
        for seed, result in sorted(runs.items())
        for task in [result.task]
        if task.policies[task.reference].over_reference[setting] is not None
    }


def on_task(runs: Mapping[str, Mapping[int, Result]], first: str, second: str, setting: str) -> dict | None:
    """Returns the comparison of two methods on a task; see `paired`."""
    first_R, second_R = (losses_by_seed(runs.get(name, {}), setting) for name in (first, second))
    return paired(first_R, second_R)


def family(
    runs: Mapping[str, Mapping[str, Mapping[int, Result]]], first: str, second: str, settings: Sequence[str]
) -> list[dict]:
    """Compares two methods on every task and in every setting in which both were run; see `paired`.

    `p_holm` is adjusted for the number of these comparisons. `verdict` says whether the first method is
    better or worse; it is a tie if `p_holm` isn't below `LEVEL`, and unknown for a single seed.

    Args:
        runs: Task -> method -> seed -> result.
        first: Name of the first method.
        second: Name of the second method.
        settings: The settings of the examination to compare in.
    """
    rows = [
        {"first": first, "second": second, "task": task, "setting": setting, **found}
        for task, methods in runs.items()
        for setting in settings
        if (found := on_task(methods, first, second, setting))
    ]
    return adjusted(rows)


def adjusted(rows: Sequence[Mapping[str, Any]]) -> list[dict]:
    """Returns comparisons with `p_holm`, adjusted for their number, and the `verdict` that follows."""
    found = holm([row["p"] for row in rows])
    return [{**row, "p_holm": p, "verdict": _verdict(row, p)} for row, p in zip(rows, found, strict=True)]


def _verdict(row: Mapping[str, Any], p: float | None) -> str:
    if p is None:
        return "unknown"
    return side(row["ci95"]) if p < LEVEL else "tie"


def spread(values: Sequence[float]) -> dict | None:
    """Returns mean and Student's 95% interval over seeds, without an interval for one seed; None for none."""
    if not len(values):
        return None
    found = mean_estimate(values)
    return {
        "mean": found.mean,
        "ci95": [found.low, found.high] if len(values) > 1 else None,
        "seeds": len(values),
    }


def paired(loss_R: Mapping[int, float], other_R: Mapping[int, float]) -> dict | None:
    """Returns the other method's losses less the first method's, over the seeds that both have.

    Args:
        loss_R: Seed -> loss of the first method.
        other_R: Seed -> loss of the other method.

    Returns:
        Mean of the differences (positive: the first is nearer to the reference), 95% interval, number of
        seeds, and the p-value of the paired t-test; interval and p are None for one seed. None without a
        common seed.
    """
    difference_R = differences(loss_R, other_R)
    found = spread(difference_R.tolist())
    if found is None:
        return None
    return found | {"p": _p_value(difference_R)}


def differences(loss_R: Mapping[int, float], other_R: Mapping[int, float]) -> np.ndarray:
    """Returns the other method's loss less the first method's, for each seed that both have (R)."""
    return np.array([other_R[seed] - loss_R[seed] for seed in sorted(loss_R.keys() & other_R.keys())])


def _p_value(difference_R: np.ndarray) -> float | None:
    if len(difference_R) < 2:
        return None
    if np.ptp(difference_R) == 0:
        return 1.0 if difference_R[0] == 0 else 0.0
    count = len(difference_R)
    t = difference_R.mean() / (difference_R.std(ddof=1) / np.sqrt(count))
    return float(2 * stats.t.sf(abs(t), count - 1))


def side(interval: Sequence[float] | None) -> str:
    """Returns better, worse or tie according to a difference's interval; unknown without an interval."""
    if interval is None:
        return "unknown"
    return "better" if interval[0] > 0 else "worse" if interval[1] < 0 else "tie"
