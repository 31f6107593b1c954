"""Statistics of a board. The unit is a training seed: differences are paired by it, on the same parameters.

Axes: T tasks, R runs (training seeds) of a method on a task.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from simdistill.leaderboard.results import Result
from simdistill.statistics import holm, mean_estimate

LIMIT = 1.0
"""The largest loss: that of a student under which queues grow or that costs more than twice the reference."""
LEVEL = 0.05
DRAWS = 20_000
BAND_DRAWS = 2000
LEAST_TASKS = 3
"""For an interval over tasks."""


def loss(over: Mapping[str, Any] | None) -> float:
    """Returns cost over the reference's minus one, at most `LIMIT`; `LIMIT` where the policy is unstable."""
    return LIMIT if over is None else min(float(over["mean"]), LIMIT)


def _student(metrics: Mapping[str, Any]) -> Mapping[str, Any]:
    return metrics["over_reference"]


def _reference(metrics: Mapping[str, Any]) -> Mapping[str, Any]:
    return metrics["policies"][metrics["reference"]]["over_reference"]


def losses_by_seed(
    runs: Mapping[int, Result],
    setting: str,
    over: Callable[[Mapping[str, Any]], Mapping[str, Any]] = _student,
) -> dict[int, float]:
    """Returns the loss of each seed of a method on a task (R).

    Seeds for which the reference itself has no cost in this setting are left out.

    Args:
        runs: Results by seed.
        setting: Where it was examined.
        over: Gives the costs over the reference of a run's metrics; the student's by default.
    """
    return {
        seed: loss(over(result.metrics)[setting])
        for seed, result in sorted(runs.items())
        if _reference(result.metrics)[setting] is not None
    }


def on_task(runs: Mapping[str, Mapping[int, Result]], first: str, second: str, setting: str) -> dict | None:
    """Returns how much nearer to the reference the first method is on a task; see `paired`."""
    first_R, second_R = (losses_by_seed(runs.get(name, {}), setting) for name in (first, second))
    return paired(first_R, second_R)


def family(
    runs: Mapping[str, Mapping[str, Mapping[int, Result]]], first: str, second: str, settings: Sequence[str]
) -> list[dict]:
    """Compares two methods on every task and in every setting that both were run in; see `paired`.

    `p_holm` is adjusted for the number of these comparisons. `verdict` is whether the first method is better
    or worse, a tie where `p_holm` isn't below `LEVEL`, and unknown for one seed.

    Args:
        runs: Results by task, method and seed.
        first: A method.
        second: Another one.
        settings: Where they were examined.
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
    """Returns mean and Student's 95% interval over seeds; no interval for one seed, None for none."""
    if not len(values):
        return None
    found = mean_estimate(values)
    return {
        "mean": found.mean,
        "ci95": [found.low, found.high] if len(values) > 1 else None,
        "seeds": len(values),
    }


def paired(loss_R: Mapping[int, float], other_R: Mapping[int, float]) -> dict | None:
    """Returns how much less the first method loses than the other, over the seeds that both have.

    Args:
        loss_R: Loss by seed.
        other_R: The other method's.

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
    """Returns how much less the first method loses, for each seed that both have (R)."""
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
    """Returns better, worse or tie by an interval of a difference; unknown without one."""
    if interval is None:
        return "unknown"
    return "better" if interval[0] > 0 else "worse" if interval[1] < 0 else "tie"


def aggregate(losses_TR: Sequence[np.ndarray], random: np.random.Generator) -> dict:
    """Returns mean and interquartile mean over tasks and seeds, of losses or of methods' paired differences.

    `ci95` is about these tasks: only seeds are drawn. Of the mean it is Student's with Satterthwaite's
    degrees of freedom, of the interquartile mean a bootstrap stratified by task (Agarwal et al., arXiv
    2108.13264, rliable). `ci95_tasks` is about tasks like these: of the mean it is Student's over the tasks'
    means, of the interquartile mean a bootstrap that resamples tasks, then seeds. `bootstrap` and
    `bootstrap_tasks` are those of the mean, for comparison: with a few seeds and tasks they are too narrow.
    With one seed on some task an interval about these tasks would claim too much and is None, as is one about
    tasks like these for fewer than three.

    Args:
        losses_TR: The runs' losses, an array for each task.
        random: Source of the draws.
    """
    loss_TR = _padded(losses_TR)
    seeds_DTR, tasks_DTR = (_resampled(loss_TR, random, tasks) for tasks in (False, True))
    several_seeds, several_tasks = min(map(len, losses_TR)) > 1, len(losses_TR) >= LEAST_TASKS
    boots = {
        name: {
            "mean": float(statistic(loss_TR[None])[0]),
            "ci95": _quantiles(statistic(seeds_DTR)) if several_seeds else None,
            "ci95_tasks": _quantiles(statistic(tasks_DTR)) if several_tasks else None,
        }
        for name, statistic in {"mean": _mean, "iqm": _interquartile_mean}.items()
    }
    mean = boots["mean"] | {
        "bootstrap": boots["mean"]["ci95"],
        "bootstrap_tasks": boots["mean"]["ci95_tasks"],
    }
    over_tasks = mean_estimate([float(loss_R.mean()) for loss_R in losses_TR])
    mean["ci95"] = _over_seeds(losses_TR)
    mean["ci95_tasks"] = [over_tasks.low, over_tasks.high] if several_tasks else None
    return boots | {"mean": mean, "tasks": len(losses_TR), "runs": sum(map(len, losses_TR))}


def _over_seeds(losses_TR: Sequence[np.ndarray]) -> list[float] | None:
    """Returns the interval of the mean over tasks whose runs spread differently; None for a single run."""
    if min(map(len, losses_TR)) < 2:
        return None
    count_T = np.array([len(loss_R) for loss_R in losses_TR])
    variance_T = np.array([loss_R.var(ddof=1) for loss_R in losses_TR]) / count_T
    mean = float(np.mean([loss_R.mean() for loss_R in losses_TR]))
    if not variance_T.any():
        return [mean, mean]
    # Welch, Biometrika 34, 1947; Satterthwaite, Biometrics Bulletin 2, 1946.
    freedom = variance_T.sum() ** 2 / (variance_T**2 / (count_T - 1)).sum()
    half = float(stats.t.ppf(0.975, freedom) * np.sqrt(variance_T.sum()) / len(losses_TR))
    return [mean - half, mean + half]


def median(losses_TR: Sequence[np.ndarray], random: np.random.Generator) -> dict:
    """Returns the median over tasks of the mean over seeds.

    Its interval is about these tasks, and None if one of them has a single seed. Each task's expectation is
    drawn from what its seeds say of it by Student's t: a generalised interval (Weerahandi, Journal of the
    American Statistical Association 88, 1993), which covers rather more than 95%.
    """
    mean_T = np.array([loss_R.mean() for loss_R in losses_TR])
    found = {"mean": float(np.median(mean_T)), "ci95": None}
    count_T = np.array([len(loss_R) for loss_R in losses_TR])
    if count_T.min() < 2:
        return found
    error_T = np.array([loss_R.std(ddof=1) for loss_R in losses_TR]) / np.sqrt(count_T)
    drawn_DT = mean_T + error_T * random.standard_t(count_T - 1, size=(DRAWS, len(losses_TR)))
    return found | {"ci95": _quantiles(np.median(drawn_DT, axis=1))}


def profile(
    losses_TR: Sequence[np.ndarray], thresholds: Sequence[float], random: np.random.Generator
) -> dict[str, list[float]]:
    """Returns the share of runs that lose at most each threshold, every task counting the same.

    `low` and `high` are pointwise 95% bands of a bootstrap that resamples seeds within tasks, as in rliable.
    """
    drawn_DTR = _resampled(_padded(losses_TR), random, False)[:BAND_DRAWS]
    known_DTR = np.isfinite(drawn_DTR)
    shares_ND = [
        (np.sum(known_DTR & (drawn_DTR <= threshold), axis=2) / known_DTR.sum(axis=2)).mean(axis=1)
        for threshold in thresholds
    ]
    low_N, high_N = np.quantile(shares_ND, [0.025, 0.975], axis=1)
    share_N = [np.mean([np.mean(loss_R <= threshold) for loss_R in losses_TR]) for threshold in thresholds]
    return {
        name: [float(value) for value in value_N]
        for name, value_N in (("share", share_N), ("low", low_N), ("high", high_N))
    }


def _padded(losses_TR: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the losses as one array, NaN where a task has fewer runs than another."""
    loss_TR = np.full((len(losses_TR), max(map(len, losses_TR))), np.nan)
    for row_R, loss_R in zip(loss_TR, losses_TR, strict=True):
        row_R[: len(loss_R)] = loss_R
    return loss_TR


def _resampled(loss_TR: np.ndarray, random: np.random.Generator, tasks: bool) -> np.ndarray:
    """Returns resamples (draws, T, R): of the tasks, if asked for, and of the runs of each."""
    count, runs = loss_TR.shape
    task_DT = random.integers(count, size=(DRAWS, count)) if tasks else np.tile(range(count), (DRAWS, 1))
    size_DT1 = np.isfinite(loss_TR).sum(axis=1)[task_DT][..., None]
    run_DTR = (random.random((DRAWS, count, runs)) * size_DT1).astype(int)
    return np.where(np.arange(runs) < size_DT1, loss_TR[task_DT[..., None], run_DTR], np.nan)


def _mean(loss_DTR: np.ndarray) -> np.ndarray:
    return np.nanmean(loss_DTR, axis=2).mean(axis=1)


def _interquartile_mean(loss_DTR: np.ndarray) -> np.ndarray:
    """Returns the mean of the middle half of all runs."""
    sorted_DN = np.sort(loss_DTR.reshape(len(loss_DTR), -1), axis=1)  # NaN goes to the end
    count_D = np.isfinite(sorted_DN).sum(axis=1)
    cut_D = count_D // 4
    sum_DN = np.cumsum(np.insert(np.nan_to_num(sorted_DN), 0, 0.0, axis=1), axis=1)
    rows_D = np.arange(len(sum_DN))
    middle_D = sum_DN[rows_D, count_D - cut_D] - sum_DN[rows_D, cut_D]
    return middle_D / (count_D - 2 * cut_D)


def _quantiles(values_D: np.ndarray) -> list[float]:
    low, high = np.quantile(values_D, [0.025, 0.975])
    return [float(low), float(high)]
