"""Estimates with 95% intervals, and the correction of p-values for multiple comparisons."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95% confidence interval.

    Attributes:
        mean: The mean.
        low: Lower end of the interval; NaN if there is no interval.
        high: Upper end of the interval; NaN if there is no interval.
    """

    mean: float
    low: float = math.nan
    high: float = math.nan

    @property
    def ci95(self) -> list[float] | None:
        """The interval as `[low, high]`; None if there is none."""
        return None if math.isnan(self.low) or math.isnan(self.high) else [self.low, self.high]

    @property
    def has_interval(self) -> bool:
        """Whether there is an interval with a width; exact numbers have an interval of width zero."""
        return self.high > self.low

    def as_dict(self) -> dict[str, Any]:
        """Returns the JSON form, `{"mean", "ci95"}`."""
        return {"mean": self.mean, "ci95": self.ci95}

    @classmethod
    def of(cls, entry: Mapping[str, Any] | None) -> "Estimate | None":
        """Returns the estimate in its JSON form; None if the form has no mean."""
        if not entry or entry.get("mean") is None:
            return None
        return cls(entry["mean"], *(entry.get("ci95") or ()))


def mean_estimate(values: Sequence[float] | np.ndarray) -> Estimate:
    """Returns the mean of independent replications with its Student's t interval.

    The interval of a single replication has width zero.
    """
    values = np.asarray(values, dtype=float)
    mean = float(values.mean())
    if len(values) < 2:
        return Estimate(mean, mean, mean)
    half = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return Estimate(mean, mean - half, mean + half)


def geometric_estimate(values: Sequence[float] | np.ndarray) -> Estimate:
    """Returns the geometric mean of positive values with an interval: Student's t interval of the logarithms.

    A single value has no interval.
    """
    logs = np.log(values)
    if len(logs) < 2:
        return Estimate(float(np.exp(logs.mean())))
    found = mean_estimate(logs)
    low, high = np.exp([found.low, found.high]).tolist()
    return Estimate(float(np.exp(found.mean)), low, high)


def bootstrap_estimate(
    statistic: Callable[[np.ndarray], np.ndarray],
    units: np.ndarray,
    random: np.random.Generator,
    draws: int = 2000,
) -> Estimate:
    """Returns a statistic with its percentile bootstrap interval (Efron and Tibshirani 1993, chapter 13).

    Args:
        statistic: Maps resampled units, shape (draws, units, …), to one value per draw.
        units: The units to resample, shape (units, …): parameter sets or replications.
        random: Random generator for the resampling.
        draws: Number of resamples.
    """
    mean = float(statistic(units[None])[0])
    if len(units) < 2:
        return Estimate(mean, mean, mean)
    picks = random.integers(len(units), size=(draws, len(units)))
    low, high = np.quantile(statistic(units[picks]), [0.025, 0.975])
    return Estimate(mean, float(low), float(high))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Returns p-values adjusted for multiple comparisons (Holm, Scandinavian Journal of Statistics 6, 1979).

    A comparison without a p-value stays None and isn't counted.
    """
    order = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, place) in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p))
        adjusted[place] = largest
    return adjusted
