"""Distributions sampled by inverse transform: one uniform number makes one draw.

One uniform per draw is what keeps two runs comparable: the same key gives the same uniform, whatever the
parameters, so a faster server serves the *same* job faster (common random numbers with monotone coupling;
Law, Simulation Modeling and Analysis, section 11.2).
"""

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
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
        found: Any = optimize.brentq(lambda x: self._beyond(x) - (1.0 - u), 0.0, longest)
        return float(found)

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


class Counts:
    """Whole numbers from 0 on, such as a period's demand; a subclass says how likely more than `k` are."""

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


@dataclass(frozen=True, slots=True)
class Normal:
    """Normal with a mean and a standard deviation; for amounts that hardly ever come out negative."""

    mean: float
    sd: float

    def quantile(self, u: float) -> float:
        return self.mean + self.sd * float(special.ndtri(max(u, 2.0**-54)))

    def cdf(self, x: float) -> float:
        return float(special.ndtr((x - self.mean) / self.sd))

    @property
    def variance(self) -> float:
        return self.sd**2


lognormal, hyperexponential = Lognormal, Hyperexponential
poisson, geometric, negative_binomial, binomial = Poisson, Geometric, NegativeBinomial, Binomial
discrete_uniform, normal = DiscreteUniform, Normal

NAMED = {
    "exponential": Exponential,
    "deterministic": Deterministic,
    "uniform": Uniform,
    "triangular": Triangular,
    "gamma": Gamma,
    "erlang": Gamma,
    "lognormal": Lognormal,
    "hyperexponential": Hyperexponential,
    "poisson": Poisson,
    "geometric": Geometric,
    "negative_binomial": NegativeBinomial,
    "binomial": Binomial,
    "discrete_uniform": DiscreteUniform,
    "normal": Normal,
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
    """A known whole duration during which at most one breakdown happens; a repair is geometric on 1, 2, 3, …

    Whole numbers keep ends that fall together at the very same instant.

    Attributes:
        duration: Duration without a breakdown.
        rate: Breakdowns per unit of time.
        repair_mean: Mean of the repair, above 1.
    """

    duration: float
    rate: float
    repair_mean: float

    def quantile(self, u: float) -> float:
        if 1.0 - u > self._broken * (1.0 + 1e-9):
            return self.duration
        units = math.log((1.0 - u) / self._broken) / math.log1p(-1.0 / self.repair_mean)
        return self.duration + math.floor(units + 1e-9) + 1

    def cdf(self, x: float) -> float:
        if x < self.duration:
            return 0.0
        return 1.0 - self._broken * (1.0 - 1.0 / self.repair_mean) ** math.floor(x - self.duration)

    @property
    def _broken(self) -> float:
        return -math.expm1(-self.rate * self.duration)


interrupted = Interrupted


def of_moments(name: str, mean: float, sd: float | None = None) -> Any:
    """Returns the distribution of a name with a mean and a standard deviation.

    Args:
        name: As in `named`.
        mean: Its mean.
        sd: Its standard deviation; None where the mean says all, 0 for a value that is certain.

    Raises:
        ValueError: If there is no such distribution with these moments.
    """
    if sd == 0 and name in NAMED:
        return Deterministic(mean)
    match name, sd:
        case (("exponential" | "geometric" | "poisson" | "deterministic"), None):
            return NAMED[name](mean)
        case (("normal" | "negative_binomial"), float() | int()):
            return NAMED[name](mean, sd)
        case "gamma", float() | int():
            return Gamma((mean / sd) ** 2, mean)
        case "lognormal", float() | int():
            return Lognormal(mean, sd / mean)
        case "uniform", float() | int() if 3 * sd**2 <= mean**2:
            return Uniform(mean - math.sqrt(3) * sd, mean + math.sqrt(3) * sd)
        case "discrete_uniform", float() | int():
            width = math.sqrt(12 * sd**2 + 1) - 1
            return DiscreteUniform(round(mean - width / 2), round(mean + width / 2))
        case "binomial", float() | int() if sd**2 < mean:
            failure = sd**2 / mean
            return Binomial(round(mean / (1 - failure)), 1 - failure)
    raise ValueError(
        f"no {name} with mean {mean:g} and sd {sd}; by mean alone there are deterministic, exponential, "
        "geometric and poisson, by mean and sd binomial, discrete_uniform, gamma, lognormal, "
        "negative_binomial, normal and uniform"
    )
