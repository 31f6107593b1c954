"""Distributions sampled by inverse transform: one uniform number makes one draw.

One uniform per draw is what keeps two runs comparable: the same key gives the same uniform, whatever the
parameters, so a faster server serves the *same* job faster (common random numbers with monotone coupling;
Law, Simulation Modeling and Analysis, section 11.2).
"""

import math
from dataclasses import dataclass
from typing import Protocol

from scipy import special


class Distribution(Protocol):
    """A distribution of non-negative numbers such as durations."""

    def quantile(self, u: float) -> float:
        """Returns the value below which a share `u` of the draws lies, 0 <= u < 1."""
        ...

    def cdf(self, x: float) -> float:
        """Returns the probability of a draw of at most `x`."""
        ...


def beyond(distribution: Distribution, age: float, u: float) -> float:
    """Draws a duration given that it lasts longer than `age`.

    Args:
        distribution: The duration's distribution.
        age: How long it has lasted already, same unit as the result.
        u: A uniform number in [0, 1).

    Returns:
        The whole duration, at least `age`.
    """
    if isinstance(distribution, Exponential):
        return age + distribution.quantile(u)  # memoryless, and exact far out in the tail
    survived = distribution.cdf(age)
    return max(age, distribution.quantile(survived + (1.0 - survived) * u))


@dataclass(frozen=True, slots=True)
class Exponential:
    """Exponential with the given mean."""

    mean: float

    def quantile(self, u: float) -> float:
        return -self.mean * math.log1p(-u)

    def cdf(self, x: float) -> float:
        return -math.expm1(-x / self.mean)


@dataclass(frozen=True, slots=True)
class Deterministic:
    """Always the same value."""

    value: float

    def quantile(self, u: float) -> float:
        return self.value

    def cdf(self, x: float) -> float:
        return float(x >= self.value)


@dataclass(frozen=True, slots=True)
class Uniform:
    """Uniform between `low` and `high`."""

    low: float
    high: float

    def quantile(self, u: float) -> float:
        return self.low + (self.high - self.low) * u

    def cdf(self, x: float) -> float:
        return min(1.0, max(0.0, (x - self.low) / (self.high - self.low)))


@dataclass(frozen=True, slots=True)
class Gamma:
    """Gamma with a shape and a mean; a whole shape is an Erlang distribution."""

    shape: float
    mean: float

    def quantile(self, u: float) -> float:
        return float(special.gammaincinv(self.shape, u)) * self.mean / self.shape

    def cdf(self, x: float) -> float:
        return float(special.gammainc(self.shape, x * self.shape / self.mean))


exponential, deterministic, uniform, gamma = Exponential, Deterministic, Uniform, Gamma
