"""What is taken for a distribution: any class with `quantile` and `cdf`, and SciPy's as they are."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from simdistill.errors import InputError
from simdistill.simulation.distributions.base import LAST, Distribution, Tailed

SMALLEST = 2.0**-54
"""Stands for a uniform number of 0, which SciPy maps to a value before the first, or to minus infinity."""

NEEDS = (
    "a distribution needs quantile(u) and cdf(x), as simdistill.exponential(2.0) has them, or is one of "
    "SciPy's with its parameters, such as scipy.stats.weibull_min(2, scale=3)"
)


class Frozen(Protocol):
    """A frozen distribution of SciPy: continuous or of whole numbers."""

    def ppf(self, q: Any, /) -> Any: ...

    def cdf(self, x: Any, /) -> Any: ...


class Made(Protocol):
    """A distribution of SciPy's newer kind, such as `scipy.stats.Normal`."""

    def icdf(self, p: Any, /) -> Any: ...

    def cdf(self, x: Any, /) -> Any: ...


AnyDistribution = Distribution | Frozen | Made
"""What `duration`, `draw` and the distributions that are made of others take."""


@dataclass(frozen=True)
class FromScipy(Tailed):
    """A distribution of SciPy by the names that are used here; both of its kinds have the same methods.

    Attributes:
        of: The distribution as SciPy has it.
    """

    of: Any

    def quantile(self, u: float) -> float:
        return float(self.of.ppf(max(u, SMALLEST)))

    def cdf(self, x: float) -> float:
        return float(self.of.cdf(x))

    def survival(self, x: float) -> float:
        return float(self.of.sf(x))

    def upper_quantile(self, p: float) -> float:
        return float(self.of.isf(p))

    @property
    def whole(self) -> bool:
        """Whether it draws whole numbers only."""
        return hasattr(self.of, "pmf")

    @property
    def mean(self) -> float:
        return float(self.of.mean())

    @property
    def variance(self) -> float:
        return float(self.of.var())

    def __repr__(self) -> str:
        return told(self.of)


class FromNewScipy(FromScipy):
    """A distribution of SciPy's newer kind (`make_distribution`, `Normal`) by the names used here."""

    def quantile(self, u: float) -> float:
        return float(self.of.icdf(max(u, SMALLEST)))

    def survival(self, x: float) -> float:
        return float(self.of.ccdf(x))

    def upper_quantile(self, p: float) -> float:
        if self.whole:  # SciPy 1.17 can't invert the survival function of whole numbers far out
            return float(self.of.icdf(min(1.0 - p, LAST)))
        return float(self.of.iccdf(p))

    @property
    def whole(self) -> bool:
        return float(self.of.pmf(self.of.icdf(0.5))) > 0.0

    @property
    def variance(self) -> float:
        return float(self.of.variance())


_own: set[type] = set()
_scipys: set[type] = set()
"""Classes whose objects have been found to be distributions, so that they are looked at once."""


def accepted(distribution: Any) -> Any:
    """Returns a distribution that has `quantile` and `cdf`; SciPy's are converted once and remembered.

    Raises:
        InputError: If it is neither, or SciPy says that its parameters are none.
    """
    kind = type(distribution)
    if kind in _own:
        return distribution
    if kind in _scipys:
        return _from_scipy(distribution)
    if not isinstance(distribution, type):
        if _has(distribution, "quantile", "cdf"):
            _own.add(kind)
            return distribution
        if _has(distribution, "ppf", "cdf", "isf") or _has(distribution, "icdf", "cdf", "iccdf"):
            _scipys.add(kind)
            return _from_scipy(distribution)
    raise InputError(f"{told(distribution)} is no distribution: {NEEDS}")


def _has(distribution: Any, *methods: str) -> bool:
    return all(callable(getattr(distribution, method, None)) for method in methods)


@lru_cache(maxsize=1024)
def _from_scipy(distribution: Any) -> FromScipy:
    """Objects of SciPy are equal only to themselves, so that the cache knows each of them."""
    made = (FromScipy if hasattr(distribution, "ppf") else FromNewScipy)(distribution)
    try:
        median: Any = distribution.ppf(0.5) if hasattr(distribution, "ppf") else distribution.icdf(0.5)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{told(distribution)} isn't frozen ({error}): give it its parameters, as in "
            "scipy.stats.weibull_min(2, scale=3)"
        ) from None
    if np.ndim(median) or np.isnan(median):
        raise InputError(
            f"{told(distribution)} has the median {median}: give it one number for each parameter, and only "
            "such as SciPy allows"
        )
    return made


def told(distribution: Any) -> str:
    """Returns a distribution as a message shows it; SciPy's by its name and its parameters."""
    family = getattr(getattr(distribution, "dist", None), "name", None)
    if family is None:
        return repr(distribution)
    given = [*map(repr, distribution.args), *(f"{key}={value!r}" for key, value in distribution.kwds.items())]
    return f"scipy.stats.{family}({', '.join(given)})"
