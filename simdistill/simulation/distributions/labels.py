"""Distributions of labels, for `draw`."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from simdistill.errors import InputError
from simdistill.simulation.distributions.derived import shares_adding_up


@dataclass(frozen=True, slots=True)
class Categorical:
    """One of several labels, each with its share of the draws; labels count as ordered as they are given.

    Attributes:
        shares: Label -> share; kept as pairs.
    """

    shares: Mapping[Any, float] | Iterable[tuple[Any, float]]
    _labels: tuple[Any, ...] = field(init=False, repr=False, compare=False)
    _cumulative: tuple[float, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        pairs = tuple(self.shares.items() if isinstance(self.shares, Mapping) else self.shares)
        shares_adding_up("categorical", [share for _, share in pairs])
        drawn = [(label, share) for label, share in pairs if share > 0.0]
        up_to = (*list(accumulate(share for _, share in drawn))[:-1], 1.0)
        object.__setattr__(self, "shares", pairs)
        object.__setattr__(self, "_labels", tuple(label for label, _ in drawn))
        object.__setattr__(self, "_cumulative", up_to)

    def quantile(self, u: float) -> Any:
        return self._labels[bisect_right(self._cumulative, u)]

    def cdf(self, x: Any) -> float:
        """Returns the probability of a label up to and with this one.

        Raises:
            InputError: If there is no such label.
        """
        total = 0.0
        for label, share in self.shares:  # type: ignore[misc]
            total += share
            if label == x:
                return min(total, 1.0)
        raise InputError(f"categorical has no label {x!r}; it has {[label for label, _ in self.shares]}")  # type: ignore[misc]

    @property
    def mean(self) -> float:
        """There is none.

        Raises:
            InputError: Always.
        """
        raise InputError(f"{self!r} draws labels, which have no mean; take a distribution of numbers here")
