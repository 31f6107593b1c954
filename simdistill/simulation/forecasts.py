"""Forecasts: distributions over buckets of an outcome some time from now.

Axes: B buckets, K futures.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from simdistill.errors import InputError


class Measured(Protocol):
    """A process of which outcomes can be read, as a `ProcessModel` is."""

    def levels(self) -> Mapping[str, float]: ...

    def totals(self, time: float | None = None) -> Mapping[str, tuple[float, float]]: ...


@dataclass(frozen=True)
class Forecast:
    """An outcome that a student is asked to forecast; the author's declaration.

    Attributes:
        question: The question in words; it must mention the time.
        measure: Name of a `level` or a `tally` of the simulator.
        after: Simulated time from the decision to the outcome.
        edges: Ascending; bucket b holds outcomes from edge b-1 up to below edge b.
        reading: "last": the level then; "mean": mean of the level or tally till then; "sum": the tally's sum.
    """

    question: str
    measure: str
    after: float
    edges: tuple[float, ...]
    reading: Literal["last", "mean", "sum"] = "last"

    def __post_init__(self):
        if not self.edges or list(self.edges) != sorted(set(self.edges)):
            raise InputError(f"forecast {self.question!r}: edges must ascend, got {list(self.edges)}")
        if not self.after > 0:
            raise InputError(f"forecast {self.question!r}: after must be positive, got {self.after:g}")

    @property
    def labels(self) -> list[str]:
        """Names of the buckets (B)."""
        inner = [
            f"{low:g}-{high - 1:g}"
            if whole(low, high) and high - low > 1
            else f"{low:g}"
            if whole(low, high)
            else f"{low:g} to {high:g}"
            for low, high in zip(self.edges[:-1], self.edges[1:], strict=True)
        ]
        return [f"below {self.edges[0]:g}", *inner, f"{self.edges[-1]:g} or more"]

    def bucket(self, outcome: float) -> int:
        """Returns the number of the bucket that holds an outcome."""
        return int(np.searchsorted(self.edges, outcome, side="right"))

    def outcome(self, model: Measured, until: float, before: Mapping[str, tuple[float, float]]) -> float:
        """Reads the outcome off a process that has been run up to a time.

        Args:
            model: The process, after the forecast's time has passed.
            until: Simulated time of the outcome.
            before: The process's `totals` at the time of the forecast.

        Raises:
            InputError: If the simulator has no such level or tally.
        """
        if self.reading == "last":
            levels = model.levels()
            if self.measure not in levels:
                raise InputError(
                    f"forecast {self.question!r}: {type(model).__name__} has no level {self.measure!r}; "
                    f"it has {', '.join(levels) or 'none'}"
                )
            return levels[self.measure]
        totals = model.totals(until)
        if self.measure not in totals:
            raise InputError(f"forecast {self.question!r}: {type(model).__name__} has no {self.measure!r}")
        (total, weight), (earlier, weight_before) = totals[self.measure], before.get(self.measure, (0.0, 0.0))
        if self.reading == "sum":
            return total - earlier
        return (total - earlier) / (weight - weight_before) if weight > weight_before else 0.0


def whole(*numbers: float) -> bool:
    """Whether all are whole numbers."""
    return all(float(number).is_integer() for number in numbers)


def distribution(buckets_K: np.ndarray, count: int) -> np.ndarray:
    """Returns the share of each of `count` buckets (B), with one observation's weight spread over all.

    Without it a bucket in which no branch happened to end would have probability 0, and a logarithmic score
    could be infinite (Krichevsky and Trofimov, IEEE Trans. Inf. Theory 27, 1981).
    """
    counts_B = np.bincount(buckets_K, minlength=count).astype(float)
    return (counts_B + 1.0 / count) / (counts_B.sum() + 1.0)
