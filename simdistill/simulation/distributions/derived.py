"""Distributions that are made of others: cut off, moved, mixed."""

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import optimize

from simdistill.errors import InputError
from simdistill.simulation.distributions.accepted import FromScipy, accepted
from simdistill.simulation.distributions.base import Tailed, survival, upper_quantile
from simdistill.simulation.distributions.counts import Counts
from simdistill.simulation.distributions.moments import (
    integrated_mean,
    integrated_variance,
    mean_of,
    variance_of,
)

CLOSE, TINY = np.float64(4.0 * sys.float_info.epsilon), sys.float_info.min


@dataclass(frozen=True, slots=True)
class Truncated(Tailed):
    """A distribution given that its draws lie between `low` and `high`, these included.

    Attributes:
        distribution: Distribution without the bounds, as `duration` takes it.
        low: Lowest value.
        high: Highest value; infinity where there is none.
    """

    distribution: Any
    low: float = 0.0
    high: float = math.inf
    _below: float = field(init=False, repr=False, compare=False)
    _from_low: float = field(init=False, repr=False, compare=False)
    _mass: float = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        of = accepted(self.distribution)
        before_low = math.nextafter(self.low, -math.inf)  # a draw of `low` itself stays
        below, from_low = of.cdf(before_low), survival(of, before_low)
        # Far out in a tail the difference of two numbers near 1 would be rounded to nothing.
        mass = of.cdf(self.high) - below if below < 0.5 else from_low - survival(of, self.high)
        if not mass > 0.0:
            raise InputError(
                f"truncated: {of!r} has no draws between low {self.low!r} and high {self.high!r}; widen the "
                "bounds, and see that low is below high"
            )
        values = {
            "distribution": of,
            "_below": float(below),
            "_from_low": float(from_low),
            "_mass": float(mass),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def quantile(self, u: float) -> float:
        if (reached := self._below + u * self._mass) <= 0.5:
            return self._within(self.distribution.quantile(reached))
        return self._within(upper_quantile(self.distribution, max(self._from_low - u * self._mass, 0.0)))

    def cdf(self, x: float) -> float:
        if x < self.low:
            return 0.0
        if self._below < 0.5:
            return min(1.0, max(0.0, (self.distribution.cdf(x) - self._below) / self._mass))
        return 1.0 - self.survival(x)

    def survival(self, x: float) -> float:
        if x < self.low:
            return 1.0
        if x >= self.high:
            return 0.0
        return min(
            1.0,
            max(0.0, (survival(self.distribution, x) - survival(self.distribution, self.high)) / self._mass),
        )

    def upper_quantile(self, p: float) -> float:
        above = survival(self.distribution, self.high) + p * self._mass
        if above <= 0.5:
            return self._within(upper_quantile(self.distribution, above))
        return self._within(self.distribution.quantile(max(1.0 - above, 0.0)))

    def _within(self, x: float) -> float:
        return min(self.high, max(self.low, x))

    @property
    def mean(self) -> float:
        """A sum over whole numbers; else it is integrated."""
        if (counts := self._counts()) is None:
            return integrated_mean(self)
        return float(counts[0] @ counts[1])

    @property
    def variance(self) -> float:
        """A sum over whole numbers; else it is integrated."""
        if (counts := self._counts()) is None:
            return integrated_variance(self)
        values_N, probabilities_N = counts
        return float((values_N - values_N @ probabilities_N) ** 2 @ probabilities_N)

    def _counts(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Whole numbers and their probabilities, None for a distribution of other numbers."""
        if not (
            isinstance(self.distribution, Counts)
            or (isinstance(self.distribution, FromScipy) and self.distribution.whole)
        ):
            return None
        last = min(self.high, self.upper_quantile(2.0**-53))
        values_N = np.arange(math.ceil(self.low), math.floor(last) + 1)
        cumulative_N = np.array([self.cdf(float(value)) for value in values_N])
        return values_N, np.diff(cumulative_N, prepend=0.0)


@dataclass(frozen=True, slots=True)
class Shifted(Tailed):
    """A distribution whose draws are that much larger, such as a service with a shortest length.

    Attributes:
        distribution: Distribution before the shift, as `duration` takes it.
        by: What is added; it may be negative.
    """

    distribution: Any
    by: float

    def __post_init__(self):
        object.__setattr__(self, "distribution", accepted(self.distribution))

    def quantile(self, u: float) -> float:
        return self.by + self.distribution.quantile(u)

    def cdf(self, x: float) -> float:
        return self.distribution.cdf(x - self.by)

    def survival(self, x: float) -> float:
        return survival(self.distribution, x - self.by)

    def upper_quantile(self, p: float) -> float:
        return self.by + upper_quantile(self.distribution, p)

    @property
    def mean(self) -> float:
        return self.by + mean_of(self.distribution)

    @property
    def variance(self) -> float:
        return variance_of(self.distribution)


@dataclass(frozen=True, slots=True)
class Mixture(Tailed):
    """One of several distributions, each with its share of the draws.

    A draw inverts the mixture's own distribution function, so that one uniform number makes it and more of
    it never makes it shorter; to pick a part first would take that away.

    Attributes:
        parts: Share and distribution of each part; shares add up to 1.
    """

    parts: Sequence[tuple[float, Any]]

    def __post_init__(self):
        shares_adding_up("mixture", [share for share, _ in self.parts])
        parts = tuple((float(share), accepted(part)) for share, part in self.parts if share > 0.0)
        object.__setattr__(self, "parts", parts)

    def quantile(self, u: float) -> float:
        if u > 0.5:  # from here on the upper tail tells more digits
            return self.upper_quantile(1.0 - u)
        ends = [part.quantile(u) for _, part in self.parts]
        return _first(lambda x: self.cdf(x) - u, min(ends), max(ends))

    def cdf(self, x: float) -> float:
        return math.fsum(share * part.cdf(x) for share, part in self.parts)

    def survival(self, x: float) -> float:
        return math.fsum(share * survival(part, x) for share, part in self.parts)

    def upper_quantile(self, p: float) -> float:
        ends = [upper_quantile(part, p) for _, part in self.parts]
        return _first(lambda x: p - self.survival(x), min(ends), max(ends))

    @property
    def mean(self) -> float:
        return math.fsum(share * mean_of(part) for share, part in self.parts)

    @property
    def variance(self) -> float:
        """Law of total variance: that within the parts and that of their means."""
        mean = self.mean
        return math.fsum(
            share * (variance_of(part) + (mean_of(part) - mean) ** 2) for share, part in self.parts
        )


def shares_adding_up(name: str, shares: Sequence[float]) -> None:
    """Checks shares of draws.

    Raises:
        InputError: If one is negative, or they don't add up to 1.
    """
    if not shares or not all(share >= 0.0 for share in shares) or abs(math.fsum(shares) - 1.0) > 1e-9:
        raise InputError(f"{name} needs shares of at least 0 that add up to 1, got {list(shares)}")


def _first(excess: Callable[[float], float], low: float, high: float) -> float:
    """Returns the first number between two at which an increasing function isn't negative.

    Brent's method comes close. As the function may jump there, or be level, halves end at the number itself.
    """
    if not low < high < math.inf:
        return high
    if excess(low) >= 0.0:
        return low
    if excess(high) <= 0.0:
        return high
    near: float = optimize.brentq(excess, low, high, xtol=TINY, rtol=CLOSE, full_output=True, disp=False)[0]
    width = 4.0 * math.ulp(near)
    while (before := near - width) > low and excess(before) >= 0.0:
        high, width = before, 16.0 * width
    low = max(low, before)
    while (after := near + width) < high and excess(after) < 0.0:
        low, width = after, 16.0 * width
    high = min(high, after)
    while low < (middle := low + (high - low) / 2.0) < high:
        low, high = (low, middle) if excess(middle) >= 0.0 else (middle, high)
    return high
