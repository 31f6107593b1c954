"""What every distribution can do."""

from typing import Protocol


class Distribution(Protocol):
    """A distribution of non-negative numbers such as durations."""

    def quantile(self, u: float) -> float:
        """Returns the value below which a share `u` of the draws lies, 0 <= u < 1."""
        ...

    def cdf(self, x: float) -> float:
        """Returns the probability of a draw of at most `x`."""
        ...
