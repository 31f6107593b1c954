"""Means with intervals, over replications."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Interval:
    """A mean with its 95% confidence interval."""

    mean: float
    low: float
    high: float

    def as_dict(self) -> dict:
        """Returns the form of `metrics.json`."""
        return {"mean": self.mean, "ci95": [self.low, self.high]}


def mean_interval(values: Sequence[float] | np.ndarray) -> Interval:
    """Returns the mean of independent replications with Student's t interval."""
    values = np.asarray(values, dtype=float)
    mean = float(values.mean())
    if len(values) < 2:
        return Interval(mean, mean, mean)
    half = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return Interval(mean, mean - half, mean + half)


def bootstrap_interval(
    statistic: Callable[[np.ndarray], np.ndarray],
    units: np.ndarray,
    random: np.random.Generator,
    draws: int = 2000,
) -> Interval:
    """Returns a statistic with its percentile bootstrap interval (Efron and Tibshirani 1993, chapter 13).

    Args:
        statistic: Maps resampled units, shape (draws, units, …), to one value per draw.
        units: What is resampled, shape (units, …): parameter sets, replications.
        random: Source of the resampling.
        draws: Number of resamples.
    """
    mean = float(statistic(units[None])[0])
    if len(units) < 2:
        return Interval(mean, mean, mean)
    picks = random.integers(len(units), size=(draws, len(units)))
    low, high = np.quantile(statistic(units[picks]), [0.025, 0.975])
    return Interval(mean, float(low), float(high))
