"""The comparison of one figure of the original and of the model, and its verdict.

Replications of the two are independent, so the difference of the means has Welch's interval (Biometrika 34,
1947). Two one-sided tests (Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15, 1987) say whether it lies
within the margin. A margin that is a share of the original's mean is as uncertain as this mean, so each test
is of mean(model) - (1 ± margin) mean(original), with Welch's degrees of freedom (Hauschke, Kieser and
Hothorn, Biometrical Journal 41, 1999). Axes: R replications.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
from scipy.special import stdtr, stdtrit  # Student's t: a tenth of the time that scipy.stats takes

from simdistill.statistics import holm

Values = Sequence[float] | np.ndarray
"""A figure in each replication."""

POWER = 0.9
"""Probability with which a model without any difference is to be found equivalent, in planning."""

ROUNDING = 1e-12
"""Standard error, relative to the means, below which there is none but that of rounding."""


class Verdict(StrEnum):
    """What is known of a figure.

    Attributes:
        EQUIVALENT: The difference is surely within the margin.
        DIFFERENT: The difference is surely outside of it.
        TOO_WIDE: Neither is sure.
    """

    EQUIVALENT = "equivalent"
    DIFFERENT = "different"
    TOO_WIDE = "too wide to say"


@dataclass(frozen=True)
class Sample:
    """Independent replications of a figure.

    Attributes:
        values_R: The values, without NaN.
    """

    values_R: np.ndarray

    @property
    def count(self) -> int:
        """Number of values."""
        return len(self.values_R)

    @property
    def mean(self) -> float:
        """Their mean; NaN without values."""
        return float(self.values_R.mean()) if self.count else math.nan

    @property
    def variance(self) -> float:
        """Their variance; infinite with fewer than two values."""
        return float(self.values_R.var(ddof=1)) if self.count > 1 else math.inf


@dataclass(frozen=True)
class Margin:
    """How far a model may be from the original.

    Attributes:
        size: Of what is meant below.
        relative: Whether it is a share of the original's mean, else in the figure's own unit.
    """

    size: float
    relative: bool = True

    def width(self, original: Sample) -> float:
        """Returns the margin in the figure's unit."""
        return self.size * abs(original.mean) if self.relative else self.size


@dataclass(frozen=True)
class Comparison:
    """A figure of the original and of the model.

    Attributes:
        name: The figure.
        original: Its values in the original.
        model: Its values in the model.
        margin: How far they may be apart, in the figure's unit.
        low: Lower end of the interval of the difference, model less original.
        high: Its upper end.
        p_equivalent: p-value of the equivalence test, the larger one of the two one-sided tests.
        p_different: p-value of the test that the difference is larger than the margin.
        needed: Replications of each that would probably be enough; None if these are, or none would be.
        note: What else is to be known; empty if nothing.
        verdict: The verdict.
    """

    name: str
    original: Sample
    model: Sample
    margin: float
    low: float
    high: float
    p_equivalent: float
    p_different: float
    needed: int | None = None
    note: str = ""
    verdict: Verdict = Verdict.TOO_WIDE

    @property
    def difference(self) -> float:
        """Mean of the model less that of the original."""
        return self.model.mean - self.original.mean

    @property
    def relative(self) -> float | None:
        """The difference as a share of the original's mean; None where that is 0."""
        return self.difference / abs(self.original.mean) if self.original.mean else None

    def as_dict(self) -> dict[str, Any]:
        """Returns the comparison as a JSON object; what isn't a number is null."""
        return {
            "figure": self.name,
            "original": _sample(self.original),
            "model": _sample(self.model),
            "difference": _finite(self.difference),
            "interval": [_finite(self.low), _finite(self.high)],
            "relative_difference": self.relative if self.relative is None else _finite(self.relative),
            "margin": _finite(self.margin),
            "p_equivalent": self.p_equivalent,
            "p_different": self.p_different,
            "verdict": str(self.verdict),
            "replications_needed": self.needed,
            "note": self.note,
        }


def _sample(sample: Sample) -> dict[str, Any]:
    deviation = _finite(math.sqrt(sample.variance))
    return {
        "mean": _finite(sample.mean),
        "standard_deviation": deviation,
        "replications": sample.count,
        "values": sample.values_R.tolist(),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def compare(name: str, original_R: Values, model_R: Values, margin: Margin, alpha: float) -> Comparison:
    """Compares a figure; `judged` sets the verdicts of all figures together.

    Args:
        name: The figure.
        original_R: The original's replications; NaN where one has no value.
        model_R: The model's.
        margin: How far they may be apart.
        alpha: Level of the tests.
    """
    original, model = (_known(values_R) for values_R in (original_R, model_R))
    if min(original.count, model.count) < 2:
        nothing = (margin.width(original), math.nan, math.nan, 1.0, 1.0)
        return Comparison(name, original, model, *nothing, note="fewer than two replications have a value")
    share, width = (margin.size, 0.0) if margin.relative else (0.0, margin.size)
    share = math.copysign(share, original.mean)
    lower, upper = _Gap(model, original, 1 - share, -width), _Gap(model, original, 1 + share, width)
    plain = _Gap(model, original, 1.0, 0.0)
    half = plain.error * float(stdtrit(plain.freedom, 1 - alpha)) if plain.error else 0.0
    found = Comparison(
        name,
        original,
        model,
        margin.width(original),
        plain.size - half,
        plain.size + half,
        max(lower.p_above(True), upper.p_below(True)),
        min(1.0, 2 * min(upper.p_above(False), lower.p_below(False))),
    )
    return replace(found, note=_note(found, margin, alpha))


def judged(comparisons: Sequence[Comparison], alpha: float) -> list[Comparison]:
    """Returns the comparisons with their verdicts.

    That all figures are equivalent is said only if each one's test says so, which happens with probability
    alpha at most if any figure is outside of its margin (intersection-union, Berger 1982), so nothing is
    corrected. That some figure is different would be said too often of many figures, so these p-values are
    adjusted (Holm 1979).
    """
    adjusted = holm([found.p_different for found in comparisons])
    return [
        _judged(found, float(p if p is not None else 1.0), alpha, len(comparisons))
        for found, p in zip(comparisons, adjusted, strict=True)
    ]


def _judged(found: Comparison, p_different: float, alpha: float, count: int) -> Comparison:
    found = replace(found, p_different=p_different)
    if found.p_equivalent <= alpha:
        return replace(found, verdict=Verdict.EQUIVALENT, note="")
    if p_different <= alpha:
        return replace(found, verdict=Verdict.DIFFERENT)
    if math.isnan(found.low):
        return found
    beyond = max(found.low - found.margin, -found.high - found.margin)
    if beyond > 0 and not found.note:
        said = "the interval is outside of the margin, by too little to be sure"
        said += f" of one of {count} figures" if count > 1 else ""
        needed = _replications(found, abs(found.difference) - found.margin, alpha / 2 / count)
        return replace(found, needed=needed, note=said)
    return replace(found, needed=_needed(found, alpha))


class _Gap:
    """How far the model's mean is above `factor` times the original's, plus `shift`, with its error."""

    def __init__(self, model: Sample, original: Sample, factor: float, shift: float):
        parts = model.variance / model.count, factor**2 * original.variance / original.count
        self.size = model.mean - factor * original.mean - shift
        self.error, self.freedom = math.sqrt(sum(parts)), 1.0
        scale = max(abs(model.mean), abs(original.mean))
        if self.error <= ROUNDING * scale:
            self.error = 0.0
            self.size = 0.0 if abs(self.size) <= 1e3 * ROUNDING * scale else self.size
        else:
            self.freedom = sum(parts) ** 2 / (
                parts[0] ** 2 / (model.count - 1) + parts[1] ** 2 / (original.count - 1)
            )

    def p_above(self, at_it: bool) -> float:
        """Returns the p-value of being above; without error, whether it is, or at it where that counts."""
        return self._p(self.size, at_it)

    def p_below(self, at_it: bool) -> float:
        """Returns the p-value of being below."""
        return self._p(-self.size, at_it)

    def _p(self, size: float, at_it: bool) -> float:
        if self.error == 0.0:
            return 0.0 if size > 0 or (at_it and size == 0) else 1.0
        return float(stdtr(self.freedom, -size / self.error))


def _known(values_R: Values) -> Sample:
    values = np.asarray(values_R, dtype=float)
    return Sample(values[~np.isnan(values)])


def _needed(found: Comparison, alpha: float) -> int | None:
    """Returns how many replications of each would probably be enough.

    They let a model without any difference pass with probability POWER. Where there are as many already, the
    difference is taken to be what was found.
    """
    count = _replications(found, found.margin, alpha)
    if count is not None and count <= min(found.original.count, found.model.count):
        return _replications(found, abs(found.margin - abs(found.difference)), alpha)
    return count


def _replications(found: Comparison, gap: float, alpha: float) -> int | None:
    """Returns the replications of each in which a gap of this size is found; None if in no reasonable number.

    Args:
        found: Says how much the replications vary.
        gap: Between the true difference and the margin.
        alpha: Level of a test.
    """
    spread = found.original.variance + found.model.variance
    if not gap or spread / gap**2 > 1e9:
        return None
    count = 2.0
    for _ in range(20):  # the quantiles depend on the number itself
        freedom = 2 * (count - 1)
        factor = float(stdtrit(freedom, 1 - alpha) + stdtrit(freedom, (1 + POWER) / 2))
        count = max(2.0, (count + factor**2 * spread / gap**2) / 2)
    size = 10 ** max(0, math.floor(math.log10(count)) - 1)
    return math.ceil(count / size) * size


def _note(found: Comparison, margin: Margin, alpha: float) -> str:
    """Returns a remark on a relative margin where the original's mean may be 0."""
    original = found.original
    half = float(stdtrit(original.count - 1, 1 - alpha)) * math.sqrt(original.variance / original.count)
    if margin.relative and abs(original.mean) <= half and original.variance > 0:
        return (
            "the original's mean may be 0, of which a share is no margin: "
            f"--absolute {found.name}=VALUE gives one"
        )
    return ""
