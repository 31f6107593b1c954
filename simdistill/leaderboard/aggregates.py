"""Aggregates of losses over all tasks and seeds: means, medians and performance profiles, with intervals.

Axes: D tasks, R runs (training seeds) of a method on a task, Z resamples, N thresholds (or all tasks' runs).
"""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from simdistill.statistics import mean_estimate

DRAWS = 20_000
BAND_DRAWS = 2000
LEAST_TASKS = 3
"""Smallest number of tasks for which an interval over tasks is given."""


def aggregate(losses_DR: Sequence[np.ndarray], random: np.random.Generator) -> dict:
    """Returns the mean and the interquartile mean over tasks and seeds, each with two intervals.

    `ci95` is an interval for these tasks, in which only seeds are random. For the mean it is Student's t
    interval with Satterthwaite's degrees of freedom, for the interquartile mean a bootstrap stratified by
    task (Agarwal et al., arXiv 2108.13264, rliable). It is None if a task has a single seed.

    `ci95_tasks` is an interval for a population of such tasks. For the mean it is Student's t interval of the
    tasks' means, for the interquartile mean a bootstrap that resamples tasks, then seeds. It is None for
    fewer than three tasks.

    `bootstrap` and `bootstrap_tasks` are the mean's bootstrap intervals, for comparison; with few seeds and
    tasks they are too narrow.

    Args:
        losses_DR: The runs' losses, or two methods' paired differences of losses: an array for each task.
        random: Random generator for the resampling.
    """
    loss_DR = _padded(losses_DR)
    seeds_ZDR, tasks_ZDR = (_resampled(loss_DR, random, tasks) for tasks in (False, True))
    several_seeds, several_tasks = min(map(len, losses_DR)) > 1, len(losses_DR) >= LEAST_TASKS
    boots = {
        name: {
            "mean": float(statistic(loss_DR[None])[0]),
            "ci95": _quantiles(statistic(seeds_ZDR)) if several_seeds else None,
            "ci95_tasks": _quantiles(statistic(tasks_ZDR)) if several_tasks else None,
        }
        for name, statistic in {"mean": _mean, "iqm": _interquartile_mean}.items()
    }
    mean = boots["mean"] | {
        "bootstrap": boots["mean"]["ci95"],
        "bootstrap_tasks": boots["mean"]["ci95_tasks"],
    }
    over_tasks = mean_estimate([float(loss_R.mean()) for loss_R in losses_DR])
    mean["ci95"] = _over_seeds(losses_DR)
    mean["ci95_tasks"] = [over_tasks.low, over_tasks.high] if several_tasks else None
    return boots | {"mean": mean, "tasks": len(losses_DR), "runs": sum(map(len, losses_DR))}


def _over_seeds(losses_DR: Sequence[np.ndarray]) -> list[float] | None:
    """Returns the interval of the mean over tasks with unequal variances; None if a task has a single run."""
    if min(map(len, losses_DR)) < 2:
        return None
    count_D = np.array([len(loss_R) for loss_R in losses_DR])
    variance_D = np.array([loss_R.var(ddof=1) for loss_R in losses_DR]) / count_D
    mean = float(np.mean([loss_R.mean() for loss_R in losses_DR]))
    if not variance_D.any():
        return [mean, mean]
    # Welch, Biometrika 34, 1947; Satterthwaite, Biometrics Bulletin 2, 1946.
    freedom = variance_D.sum() ** 2 / (variance_D**2 / (count_D - 1)).sum()
    half = float(stats.t.ppf(0.975, freedom) * np.sqrt(variance_D.sum()) / len(losses_DR))
    return [mean - half, mean + half]


def median(losses_DR: Sequence[np.ndarray], random: np.random.Generator) -> dict:
    """Returns the median over tasks of the mean over seeds.

    Its interval is for these tasks, and None if one of them has a single seed. It is a generalised confidence
    interval (Weerahandi, Journal of the American Statistical Association 88, 1993): each task's expectation
    is drawn from a Student's t distribution around the mean of its seeds. It covers somewhat more than 95%.
    """
    mean_D = np.array([loss_R.mean() for loss_R in losses_DR])
    found = {"mean": float(np.median(mean_D)), "ci95": None}
    count_D = np.array([len(loss_R) for loss_R in losses_DR])
    if count_D.min() < 2:
        return found
    error_D = np.array([loss_R.std(ddof=1) for loss_R in losses_DR]) / np.sqrt(count_D)
    drawn_ZD = mean_D + error_D * random.standard_t(count_D - 1, size=(DRAWS, len(losses_DR)))
    return found | {"ci95": _quantiles(np.median(drawn_ZD, axis=1))}


def profile(
    losses_DR: Sequence[np.ndarray], thresholds: Sequence[float], random: np.random.Generator
) -> dict[str, list[float]]:
    """Returns the share of runs whose loss is at most each threshold, with equal weights of all tasks.

    `low` and `high` are pointwise 95% bands of a bootstrap that resamples seeds within tasks, as in rliable.
    """
    drawn_ZDR = _resampled(_padded(losses_DR), random, False)[:BAND_DRAWS]
    known_ZDR = np.isfinite(drawn_ZDR)
    share_NZ = [
        (np.sum(known_ZDR & (drawn_ZDR <= threshold), axis=2) / known_ZDR.sum(axis=2)).mean(axis=1)
        for threshold in thresholds
    ]
    low_N, high_N = np.quantile(share_NZ, [0.025, 0.975], axis=1)
    share_N = [np.mean([np.mean(loss_R <= threshold) for loss_R in losses_DR]) for threshold in thresholds]
    return {
        name: [float(value) for value in value_N]
        for name, value_N in (("share", share_N), ("low", low_N), ("high", high_N))
    }


def _padded(losses_DR: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the losses as one array (D, R), filled up with NaN for tasks with fewer runs than others."""
    loss_DR = np.full((len(losses_DR), max(map(len, losses_DR))), np.nan)
    for row_R, loss_R in zip(loss_DR, losses_DR, strict=True):
        row_R[: len(loss_R)] = loss_R
    return loss_DR


def _resampled(loss_DR: np.ndarray, random: np.random.Generator, tasks: bool) -> np.ndarray:
    """Returns resampled losses (Z, D, R): runs are resampled within tasks; before, tasks if `tasks`."""
    count, runs = loss_DR.shape
    task_ZD = random.integers(count, size=(DRAWS, count)) if tasks else np.tile(range(count), (DRAWS, 1))
    size_ZD1 = np.isfinite(loss_DR).sum(axis=1)[task_ZD][..., None]
    run_ZDR = (random.random((DRAWS, count, runs)) * size_ZD1).astype(int)
    return np.where(np.arange(runs) < size_ZD1, loss_DR[task_ZD[..., None], run_ZDR], np.nan)


def _mean(loss_ZDR: np.ndarray) -> np.ndarray:
    return np.nanmean(loss_ZDR, axis=2).mean(axis=1)


def _interquartile_mean(loss_ZDR: np.ndarray) -> np.ndarray:
    """Returns the mean of the middle half of all runs' losses, for each resample (Z)."""
    sorted_ZN = np.sort(loss_ZDR.reshape(len(loss_ZDR), -1), axis=1)  # NaN goes to the end
    count_Z = np.isfinite(sorted_ZN).sum(axis=1)
    cut_Z = count_Z // 4
    sum_ZN = np.cumsum(np.insert(np.nan_to_num(sorted_ZN), 0, 0.0, axis=1), axis=1)
    rows_Z = np.arange(len(sum_ZN))
    middle_Z = sum_ZN[rows_Z, count_Z - cut_Z] - sum_ZN[rows_Z, cut_Z]
    return middle_Z / (count_Z - 2 * cut_Z)


def _quantiles(values_Z: np.ndarray) -> list[float]:
    low, high = np.quantile(values_Z, [0.025, 0.975])
    return [float(low), float(high)]
