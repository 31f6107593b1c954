"""Durations that depend on the clock, on their age or on breakdowns."""

import math
from dataclasses import dataclass
from typing import Any

from simdistill.simulation.distributions.accepted import AnyDistribution, accepted
from simdistill.simulation.distributions.base import LAST, Tailed
from simdistill.simulation.distributions.continuous import Exponential, Scaled


def beyond(distribution: AnyDistribution, age: float, u: float) -> float:
    """Draws a duration given that it lasts longer than `age`.

    Args:
        distribution: The duration's distribution.
        age: How long it has lasted already, same unit as the result.
        u: A uniform number in [0, 1).

    Returns:
        The whole duration, at least `age`.

    Raises:
        InputError: If it is no distribution.
    """
    if isinstance(distribution, Exponential):
        return age + distribution.quantile(u)  # memoryless, and exact far out in the tail
    lasting: Any = accepted(distribution)
    if isinstance(lasting, Tailed):
        return lasting.beyond(age, u)
    if isinstance(lasting, Scaled) and isinstance(lasting.distribution, Tailed):
        return max(age, lasting.factor * lasting.distribution.beyond(age / lasting.factor, u))
    survived = lasting.cdf(age)
    return max(age, lasting.quantile(min(survived + (1.0 - survived) * u, LAST)))


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
