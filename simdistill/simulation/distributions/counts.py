"""Distributions of whole numbers, such as a period's demand."""

import math
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import special


class Counts:
    """Whole numbers from 0 on, such as a period's demand; a subclass gives the survival function."""

    def survival(self, k: Any) -> Any:
        """Returns the probability of more than `k`, for an array of whole numbers from 0 on."""
        raise NotImplementedError

    def quantile(self, u: float) -> int:
        return bisect_right(_cumulative(self), u)

    def cdf(self, x: float) -> float:
        return 0.0 if x < 0 else 1.0 - float(self.survival(math.floor(x)))

    @property
    def probabilities(self) -> np.ndarray:
        """Probabilities of 0, 1, 2, … as far as draws reach; they add up to 1."""
        return np.diff(_cumulative(self), prepend=0.0)


@lru_cache(maxsize=1024)
def _cumulative(counts: Counts) -> tuple[float, ...]:
    """Distribution function from 0 on, up to where no uniform number of 53 bits gets past it."""
    size = 16
    while float(counts.survival(size)) > 2.0**-53:
        size *= 2
    survival = np.asarray(counts.survival(np.arange(size + 1)), dtype=float)
    reached = int(np.argmax(survival <= 2.0**-53))
    return (*(1.0 - survival[:reached]).tolist(), 1.0)


@dataclass(frozen=True)
class Poisson(Counts):
    """Poisson with the given mean."""

    mean: float

    def survival(self, k: Any) -> Any:
        return special.gammainc(np.add(k, 1.0), self.mean)

    @property
    def variance(self) -> float:
        return self.mean


@dataclass(frozen=True)
class Geometric(Counts):
    """Geometric on 0, 1, 2, … with the given mean."""

    mean: float

    def survival(self, k: Any) -> Any:
        return (self.mean / (1.0 + self.mean)) ** np.add(k, 1.0)

    @property
    def variance(self) -> float:
        return self.mean * (1.0 + self.mean)


@dataclass(frozen=True)
class NegativeBinomial(Counts):
    """Negative binomial with a mean and a standard deviation, whose square must exceed the mean."""

    mean: float
    sd: float

    def __post_init__(self):
        if not self.sd**2 > self.mean > 0:
            raise ValueError(
                f"negative_binomial needs a variance above its mean, got sd {self.sd:g}, mean {self.mean:g}"
            )

    def survival(self, k: Any) -> Any:
        count = self.mean**2 / (self.variance - self.mean)
        return special.betainc(np.add(k, 1.0), count, 1.0 - self.mean / self.variance)

    @property
    def variance(self) -> float:
        return self.sd**2


@dataclass(frozen=True)
class Binomial(Counts):
    """Number of successes in so many trials."""

    trials: int
    probability: float

    def __post_init__(self):
        if self.trials != int(self.trials) or self.trials < 1 or not 0 < self.probability < 1:
            raise ValueError(
                f"binomial needs whole trials and a probability between 0 and 1, got {self.trials:g} and "
                f"{self.probability:g}"
            )

    def survival(self, k: Any) -> Any:
        more = np.minimum(np.add(k, 1.0), self.trials)
        return np.where(
            np.less(k, self.trials), special.betainc(more, self.trials - more + 1.0, self.probability), 0.0
        )

    @property
    def mean(self) -> float:
        return self.trials * self.probability

    @property
    def variance(self) -> float:
        return self.mean * (1.0 - self.probability)


@dataclass(frozen=True)
class DiscreteUniform(Counts):
    """Every whole number from `low` to `high` equally often."""

    low: int
    high: int

    def __post_init__(self):
        if not 0 <= self.low <= self.high or self.low != int(self.low) or self.high != int(self.high):
            raise ValueError(
                f"discrete_uniform needs whole numbers 0 <= low <= high, got {self.low:g}, {self.high:g}"
            )

    def survival(self, k: Any) -> Any:
        return np.clip((self.high - np.asarray(k)) / (self.high - self.low + 1.0), 0.0, 1.0)

    @property
    def mean(self) -> float:
        return (self.low + self.high) / 2

    @property
    def variance(self) -> float:
        return ((self.high - self.low + 1) ** 2 - 1) / 12
