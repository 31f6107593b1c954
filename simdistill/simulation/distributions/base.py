"""What every distribution can do, and what those do that are exact far out in their upper tail."""

from typing import Any, Protocol

LAST = 1.0 - 2.0**-53
"""The largest number below 1: many distributions have no quantile of 1."""


class Distribution(Protocol):
    """A distribution of non-negative numbers such as durations."""

    def quantile(self, u: float) -> float:
        """Returns the value below which a share `u` of the draws lies, 0 <= u < 1."""
        ...

    def cdf(self, x: float) -> float:
        """Returns the probability of a draw of at most `x`."""
        ...


class Tailed:
    """A distribution that counts from its upper end, too, where `1 - cdf(x)` would be rounded to nothing."""

    __slots__ = ()

    def survival(self, x: float) -> float:
        """Returns the probability of a draw of more than `x`."""
        raise NotImplementedError

    def upper_quantile(self, p: float) -> float:
        """Returns the value above which a share `p` of the draws lies, 0 <= p <= 1."""
        raise NotImplementedError

    def beyond(self, age: float, u: float) -> float:
        """Returns a draw given that it is more than `age`, for a uniform number `u`."""
        survived = self.survival(age)
        return max(age, self.upper_quantile(survived * (1.0 - u))) if survived > 0.0 else age


def survival(distribution: Distribution, x: float) -> float:
    """Returns the probability of a draw of more than `x`, as exact as the distribution has it."""
    if hasattr(distribution, "upper_quantile"):
        tailed: Any = distribution
        return tailed.survival(x)
    return 1.0 - distribution.cdf(x)


def upper_quantile(distribution: Distribution, p: float) -> float:
    """Returns the value above which a share `p` of the draws lies, as exact as the distribution has it."""
    if hasattr(distribution, "upper_quantile"):
        tailed: Any = distribution
        return tailed.upper_quantile(p)
    return distribution.quantile(min(1.0 - p, LAST))
