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


@dataclass(frozen=True, slots=True)
class Triangular:
    """Triangular between `low` and `high` with its peak at `mode`."""

    low: float
    mode: float
    high: float

    def quantile(self, u: float) -> float:
        spread, left = self.high - self.low, self.mode - self.low
        if u * spread < left:
            return self.low + math.sqrt(u * spread * left)
        return self.high - math.sqrt((1.0 - u) * spread * (self.high - self.mode))

    def cdf(self, x: float) -> float:
        if x <= self.low:
            return 0.0
        if x >= self.high:
            return 1.0
        if x < self.mode:
            return (x - self.low) ** 2 / ((self.high - self.low) * (self.mode - self.low))
        return 1.0 - (self.high - x) ** 2 / ((self.high - self.low) * (self.high - self.mode))


@dataclass(frozen=True, slots=True)
class PiecewiseExponential:
    """Time from `start` to the next point of a Poisson process whose rate changes by the clock.

    The rate is `rates[0]` from time 0 to `width`, `rates[1]` to `2 * width`, and so on, over and over; one of
    them must be positive. Draws invert the cumulative rate (Law, Simulation Modeling and Analysis, 8.6.2).
    """

    rates: tuple[float, ...]
    width: float
    start: float

    def quantile(self, u: float) -> float:
        needed, time = -math.log1p(-u), self.start
        piece = math.floor(time / self.width)
        while True:
            rate, end = self.rates[piece % len(self.rates)], (piece + 1) * self.width
            if needed < rate * (end - time):
                return time + needed / rate - self.start
            needed -= rate * (end - time)
            time, piece = end, piece + 1

    def cdf(self, x: float) -> float:
        total, time, until = 0.0, self.start, self.start + x
        piece = math.floor(time / self.width)
        while time < until:
            end = min(until, (piece + 1) * self.width)
            total += self.rates[piece % len(self.rates)] * (end - time)
            time, piece = end, piece + 1
        return -math.expm1(-total)


triangular, piecewise_exponential = Triangular, PiecewiseExponential
