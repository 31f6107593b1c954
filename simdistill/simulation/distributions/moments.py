"""Mean and variance of any distribution: its own where it gives them, else by numeric integration."""

import math
import warnings
from collections.abc import Callable
from itertools import pairwise

from scipy import integrate

from simdistill.simulation.distributions.base import Distribution, survival, upper_quantile

_SHARES = (0.3, 0.1, 1e-2, 1e-4, 1e-8, 1e-16, 0.0)
"""Integrals are taken piece by piece, between the values beyond which these shares of the draws lie."""


def mean_of(distribution: Distribution) -> float:
    """Returns the mean of a distribution."""
    own = _own(distribution, "mean")
    return integrated_mean(distribution) if own is None else own


def variance_of(distribution: Distribution) -> float:
    """Returns the variance of a distribution."""
    own = _own(distribution, "variance")
    return integrated_variance(distribution) if own is None else own


def _own(distribution: Distribution, name: str) -> float | None:
    value = getattr(distribution, name, None)
    if callable(value):
        value = value()
    return None if value is None else float(value)  # type: ignore[arg-type]


def integrated_mean(distribution: Distribution) -> float:
    """Integrates the survival function above the median, and the distribution function below it."""
    middle = float(distribution.quantile(0.5))
    above, below = _integrals(distribution, middle, lambda distance: 1.0)
    return middle + above - below


def integrated_variance(distribution: Distribution) -> float:
    """Integrates both functions, weighted by twice the distance to the mean."""
    mean = mean_of(distribution)
    return math.fsum(_integrals(distribution, mean, lambda distance: 2.0 * distance))


def _integrals(
    distribution: Distribution, middle: float, weight: Callable[[float], float]
) -> tuple[float, float]:
    """Integrals of P(X > x) above and of P(X <= x) below a value, weighted by the distance to it."""
    upper = [float(upper_quantile(distribution, share)) for share in _SHARES]
    lower = [float(distribution.quantile(share)) for share in _SHARES]
    above = _pieces(lambda x: weight(x - middle) * survival(distribution, x), middle, upper)
    below = _pieces(lambda x: weight(middle + x) * distribution.cdf(-x), -middle, [-x for x in lower])
    return above, below


def _pieces(function: Callable[[float], float], start: float, edges: list[float]) -> float:
    """Integral of a function from a start to the farthest edge, which may be infinite."""
    ends = [start, *sorted({edge for edge in edges if edge > start})]
    with warnings.catch_warnings():
        # A distribution with jumps is integrated as well as it goes.
        warnings.simplefilter("ignore", integrate.IntegrationWarning)
        return math.fsum(
            integrate.quad(function, low, high, limit=200, epsabs=0.0, epsrel=1e-10)[0]
            for low, high in pairwise(ends)
        )
