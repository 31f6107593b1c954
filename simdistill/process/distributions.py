"""Distributions sampled by inverse transform: one uniform number makes one draw.

One uniform per draw is what keeps two runs comparable: the same key gives the same uniform, whatever the
parameters, so a faster server serves the *same* job faster (common random numbers with monotone coupling;
Law, Simulation Modeling and Analysis, section 11.2).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

from scipy import optimize, special


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

    @property
    def variance(self) -> float:
        return self.mean**2


@dataclass(frozen=True, slots=True)
class Deterministic:
    """Always the same value."""

    value: float

    def quantile(self, u: float) -> float:
        return self.value

    def cdf(self, x: float) -> float:
        return float(x >= self.value)

    @property
    def mean(self) -> float:
        return self.value

    @property
    def variance(self) -> float:
        return 0.0


@dataclass(frozen=True, slots=True)
class Uniform:
    """Uniform between `low` and `high`."""

    low: float
    high: float

    def quantile(self, u: float) -> float:
        return self.low + (self.high - self.low) * u

    def cdf(self, x: float) -> float:
        return min(1.0, max(0.0, (x - self.low) / (self.high - self.low)))

    @property
    def mean(self) -> float:
        return (self.low + self.high) / 2

    @property
    def variance(self) -> float:
        return (self.high - self.low) ** 2 / 12


@dataclass(frozen=True, slots=True)
class Gamma:
    """Gamma with a shape and a mean; a whole shape is an Erlang distribution."""

    shape: float
    mean: float

    def quantile(self, u: float) -> float:
        return float(special.gammaincinv(self.shape, u)) * self.mean / self.shape

    def cdf(self, x: float) -> float:
        return float(special.gammainc(self.shape, x * self.shape / self.mean))

    @property
    def variance(self) -> float:
        return self.mean**2 / self.shape


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

    @property
    def mean(self) -> float:
        return (self.low + self.mode + self.high) / 3

    @property
    def variance(self) -> float:
        a, b, c = self.low, self.mode, self.high
        return (a**2 + b**2 + c**2 - a * b - a * c - b * c) / 18


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


@dataclass(frozen=True, slots=True)
class Lognormal:
    """Lognormal with the given mean and coefficient of variation (standard deviation over mean)."""

    mean: float
    cv: float

    def quantile(self, u: float) -> float:
        return math.exp(self._location + self._spread * float(special.ndtri(u)))

    def cdf(self, x: float) -> float:
        if x <= 0.0:
            return 0.0
        return float(special.ndtr((math.log(x) - self._location) / self._spread))

    @property
    def variance(self) -> float:
        return (self.mean * self.cv) ** 2

    @property
    def _spread(self) -> float:
        return math.sqrt(math.log1p(self.cv**2))

    @property
    def _location(self) -> float:
        return math.log(self.mean) - math.log1p(self.cv**2) / 2


@dataclass(frozen=True, slots=True)
class Hyperexponential:
    """Exponential with one of several means, each with its probability."""

    probabilities: tuple[float, ...]
    means: tuple[float, ...]

    def quantile(self, u: float) -> float:
        longest = Exponential(max(self.means)).quantile(u)  # the mixture's tail is lighter
        if longest == 0.0:
            return 0.0
        return float(optimize.brentq(lambda x: self._beyond(x) - (1.0 - u), 0.0, longest))

    def cdf(self, x: float) -> float:
        return 1.0 - self._beyond(x)

    def _beyond(self, x: float) -> float:
        return sum(p * math.exp(-x / m) for p, m in zip(self.probabilities, self.means, strict=True))

    @property
    def mean(self) -> float:
        return sum(p * m for p, m in zip(self.probabilities, self.means, strict=True))

    @property
    def variance(self) -> float:
        second = sum(2 * p * m**2 for p, m in zip(self.probabilities, self.means, strict=True))
        return second - self.mean**2


@dataclass(frozen=True, slots=True)
class Scaled:
    """A distribution whose draws are multiplied by a factor."""

    distribution: Distribution
    factor: float

    def quantile(self, u: float) -> float:
        return self.factor * self.distribution.quantile(u)

    def cdf(self, x: float) -> float:
        return self.distribution.cdf(x / self.factor)


lognormal, hyperexponential = Lognormal, Hyperexponential

NAMED = {
    "exponential": Exponential,
    "deterministic": Deterministic,
    "uniform": Uniform,
    "triangular": Triangular,
    "gamma": Gamma,
    "erlang": Gamma,
    "lognormal": Lognormal,
    "hyperexponential": Hyperexponential,
}


def named(spec: Mapping[str, Any]) -> Any:
    """Returns the distribution that plain data tells of, e.g. `{"name": "erlang", "shape": 2, "mean": 1}`.

    Args:
        spec: `name` and the fields of the distribution of that name, none of them negative.

    Raises:
        ValueError: If there is no such distribution, or its fields aren't the ones given.
    """
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in spec.items()}
    name = given.pop("name", None)
    if name not in NAMED:
        raise ValueError(f"no distribution {name!r}; available: {', '.join(NAMED)}")
    wanted = [field.name for field in fields(NAMED[name])]
    if sorted(given) != sorted(wanted):
        raise ValueError(f"{name} needs {', '.join(wanted)}; got {', '.join(given) or 'nothing'}")
    values = [v for value in given.values() for v in (value if isinstance(value, tuple) else (value,))]
    if not all(isinstance(v, int | float) and 0 <= v < math.inf for v in values):
        raise ValueError(f"{name} needs numbers that are not negative, got {given}")
    return NAMED[name](**given)


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A known duration during which at most one breakdown may happen, at `rate`; a repair is exponential."""

    duration: float
    rate: float
    repair_mean: float

    def quantile(self, u: float) -> float:
        broken = -math.expm1(-self.rate * self.duration)
        if 1.0 - u >= broken:
            return self.duration
        return self.duration - self.repair_mean * math.log((1.0 - u) / broken)

    def cdf(self, x: float) -> float:
        if x < self.duration:
            return 0.0
        broken = -math.expm1(-self.rate * self.duration)
        return 1.0 - broken * math.exp((self.duration - x) / self.repair_mean)


interrupted = Interrupted
