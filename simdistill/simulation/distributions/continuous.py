"""Continuous distributions: times and sizes."""

import math
from dataclasses import dataclass
from typing import Any

from scipy import optimize, special

from simdistill.errors import InputError
from simdistill.simulation.distributions.accepted import accepted
from simdistill.simulation.distributions.base import Tailed, survival, upper_quantile
from simdistill.simulation.distributions.moments import mean_of, variance_of


@dataclass(frozen=True, slots=True)
class Exponential:
    """Exponential with the given mean."""

    mean: float

    def quantile(self, u: float) -> float:
        return -self.mean * math.log1p(-u)

    def cdf(self, x: float) -> float:
        return -math.expm1(-x / self.mean) if x > 0.0 else 0.0

    def survival(self, x: float) -> float:
        return math.exp(-x / self.mean) if x > 0.0 else 1.0

    def upper_quantile(self, p: float) -> float:
        return -self.mean * math.log(p) if p > 0.0 else math.inf

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
        return float(special.gammainc(self.shape, max(x, 0.0) * self.shape / self.mean))

    def survival(self, x: float) -> float:
        return float(special.gammaincc(self.shape, max(x, 0.0) * self.shape / self.mean))

    def upper_quantile(self, p: float) -> float:
        return float(special.gammainccinv(self.shape, p)) * self.mean / self.shape

    @property
    def variance(self) -> float:
        return self.mean**2 / self.shape


@dataclass(frozen=True, slots=True)
class Weibull(Tailed):
    """Weibull with a shape and a scale; a shape above 1 wears out, one below 1 fails early.

    Mean and variance are those of Law, Simulation Modeling and Analysis, section 6.2.2.
    """

    shape: float
    scale: float

    def __post_init__(self):
        if not (0.0 < self.shape < math.inf and 0.0 < self.scale < math.inf):
            raise InputError(
                f"weibull needs a shape and a scale above 0, got shape {self.shape!r}, scale {self.scale!r}"
            )

    def quantile(self, u: float) -> float:
        return self.scale * (-math.log1p(-u)) ** (1.0 / self.shape)

    def cdf(self, x: float) -> float:
        return -math.expm1(-((x / self.scale) ** self.shape)) if x > 0.0 else 0.0

    def survival(self, x: float) -> float:
        return math.exp(-((x / self.scale) ** self.shape)) if x > 0.0 else 1.0

    def upper_quantile(self, p: float) -> float:
        return self.scale * (-math.log(p)) ** (1.0 / self.shape) if p > 0.0 else math.inf

    def beyond(self, age: float, u: float) -> float:
        hazard = (max(age, 0.0) / self.scale) ** self.shape - math.log1p(-u)
        return max(age, self.scale * hazard ** (1.0 / self.shape))

    @property
    def mean(self) -> float:
        return self.scale * math.gamma(1.0 + 1.0 / self.shape)

    @property
    def variance(self) -> float:
        return self.scale**2 * math.gamma(1.0 + 2.0 / self.shape) - self.mean**2


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

    def survival(self, x: float) -> float:
        return float(special.ndtr((self._location - math.log(x)) / self._spread)) if x > 0.0 else 1.0

    def upper_quantile(self, p: float) -> float:
        return math.exp(self._location - self._spread * float(special.ndtri(p)))

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
        return 1.0 - self._beyond(x) if x > 0.0 else 0.0

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
class Normal:
    """Normal with a mean and a standard deviation; for amounts that hardly ever come out negative."""

    mean: float
    sd: float

    def quantile(self, u: float) -> float:
        return self.mean + self.sd * float(special.ndtri(max(u, 2.0**-54)))

    def cdf(self, x: float) -> float:
        return float(special.ndtr((x - self.mean) / self.sd))

    def survival(self, x: float) -> float:
        return float(special.ndtr((self.mean - x) / self.sd))

    def upper_quantile(self, p: float) -> float:
        return self.mean - self.sd * float(special.ndtri(p))

    @property
    def variance(self) -> float:
        return self.sd**2


def lognormal(mean: float, cv: float | None = None, sd: float | None = None) -> Lognormal:
    """Returns a lognormal distribution by its mean and either its coefficient of variation or its `sd`.

    Raises:
        InputError: If not exactly one of the two is given.
    """
    if (cv is None) == (sd is None):
        raise InputError(f"lognormal needs a cv or an sd, and not both, got cv {cv!r}, sd {sd!r}")
    return Lognormal(mean, cv if cv is not None else sd / mean)  # type: ignore[operator]


@dataclass(frozen=True, slots=True)
class Scaled:
    """A distribution whose draws are multiplied by a factor."""

    distribution: Any
    factor: float

    def __post_init__(self):
        object.__setattr__(self, "distribution", accepted(self.distribution))

    def quantile(self, u: float) -> float:
        return self.factor * self.distribution.quantile(u)

    def cdf(self, x: float) -> float:
        return self.distribution.cdf(x / self.factor)

    def survival(self, x: float) -> float:
        return survival(self.distribution, x / self.factor)

    def upper_quantile(self, p: float) -> float:
        return self.factor * upper_quantile(self.distribution, p)

    @property
    def mean(self) -> float:
        return self.factor * mean_of(self.distribution)

    @property
    def variance(self) -> float:
        return self.factor**2 * variance_of(self.distribution)
