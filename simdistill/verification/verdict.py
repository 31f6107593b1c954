"""From replications to verdicts.

A simulated mean disagrees with a known value if it lies significantly outside value ± tolerance, judged over
the whole table at once (Holm, A Simple Sequentially Rejective Multiple Test Procedure, 1979): however long
the table, correct simulators are accused with at most 1% probability. Not being accused isn't enough to
agree: the interval must also be narrow. Axes: R replications.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from scipy import stats

from simdistill.statistics import holm

LEVEL = 0.01
"""Probability that any correct row of a table is called a disagreement."""

PRECISE, SUFFICIENT, CONFIRMING, CROSS_CHECKING = 0.01, 0.02, 0.05, 0.1
"""Half-widths relative to the known value: where precision is cheap; at most; where a solver gave the value
exactly; and of a cross-check with Ciw, which is slow."""

ROUNDING = 1e-9
"""Relative difference that is floating-point noise."""


class Verdict(StrEnum):
    """Outcome of a comparison.

    Attributes:
        AGREES: The known value is reproduced.
        DISAGREES: The known value isn't reproduced.
        DIFFERS: A published figure isn't reproduced, but the exact figure beside it is.
        INCONCLUSIVE: The budget was too small for a verdict, or nothing measures the value.
        FAILED: The case couldn't be run.
    """

    AGREES = "agrees"
    DISAGREES = "disagrees"
    DIFFERS = "differs"
    INCONCLUSIVE = "inconclusive"
    FAILED = "failed"


@dataclass(frozen=True)
class Estimate:
    """A simulated mean.

    Attributes:
        mean: The mean.
        error: Its standard error; 0 where every replication gives the same.
        replications: How many there were.
    """

    mean: float
    error: float
    replications: int

    @property
    def half_width(self) -> float:
        """Half of the 95% confidence interval."""
        if self.error == 0.0:
            return 0.0
        return self.error * float(stats.t.ppf(0.975, self.replications - 1))

    def as_dict(self) -> dict:
        """Returns a JSON form."""
        if math.isnan(self.mean):
            return {"mean": None, "ci95": None, "replications": self.replications}
        half = self.half_width
        ci95 = [self.mean - half, self.mean + half]
        return {"mean": self.mean, "ci95": ci95, "replications": self.replications}


def of_means(values_R: np.ndarray) -> Estimate:
    """Returns the mean of independent replications."""
    count = len(values_R)
    if count == 0:
        return Estimate(math.nan, math.nan, 0)
    error = float(values_R.std(ddof=1)) / math.sqrt(count) if count > 1 else 0.0
    return _estimate(float(values_R.mean()), error, count)


def of_ratio(sums_R: np.ndarray, weights_R: np.ndarray) -> Estimate:
    """Returns a ratio of means over independent replications, with the delta method's standard error.

    A mean over observations is a sum over a random number of them; the mean of the replications' own ratios
    would be biased (Law, Simulation Modeling and Analysis, section 9.4).
    """
    count, weight = len(sums_R), float(weights_R.mean())
    if weight == 0.0:
        return Estimate(math.nan, math.nan, count)
    ratio = float(sums_R.mean()) / weight
    residual_R = sums_R - ratio * weights_R
    error = float(residual_R.std(ddof=1)) / math.sqrt(count) / abs(weight) if count > 1 else 0.0
    return _estimate(ratio, error, count)


def _estimate(mean: float, error: float, count: int) -> Estimate:
    return Estimate(mean, 0.0 if error <= ROUNDING * abs(mean) else error, count)


def mser5(values: np.ndarray) -> tuple[int, bool]:
    """Returns how many observations MSER-5 deletes, and whether that is all that it may.

    Means of five observations are deleted from the beginning so that the standard error of the mean of the
    rest is least; at most half of them (White, An Effective Truncation Heuristic for Bias Reduction in
    Simulation Output, 1997).
    """
    batches = len(values) // 5
    if batches < 4:
        return 0, False
    means = values[: batches * 5].reshape(batches, 5).mean(axis=1)
    statistics = [float(means[d:].var()) / (batches - d) for d in range(batches // 2 + 1)]
    deleted = int(np.argmin(statistics))
    return 5 * deleted, deleted == batches // 2


@dataclass
class Row:
    """One known figure, and the figures that it is compared with.

    Attributes:
        simulator: Name of the simulator.
        case: Id of the case.
        quantity: What is measured.
        value: Known value.
        tolerance: Its rounding or numerical error.
        source: Where the value is from.
        solved: The reference solver's value, if it has one.
        simulated: The simulated value, if there is one.
        notes: Remarks for the reader, such as a later warm-up or the reason for an inconclusive row.
        sound: Whether the simulated value is a steady state's; false if the warm-up was too short.
        exact_beside: Whether this is a published figure beside an exact one of the same quantity.
        growing: Whether the value is a growth rate, which has to differ from 0 as well.
        value_error: Standard error of the value where the value is simulated, too, as in a cross-check.
        verdict: Set by `judge`, except where the case failed.
    """

    simulator: str
    case: str
    quantity: str
    value: float
    tolerance: float
    source: str
    solved: float | None = None
    simulated: Estimate | None = None
    notes: list[str] = field(default_factory=list)
    sound: bool = True
    exact_beside: bool = False
    growing: bool = False
    value_error: float = 0.0
    verdict: Verdict | None = None

    def allowed(self, share: float) -> float:
        """Half-width that a share of the value allows; the value's own error need not be undercut."""
        return max(share * abs(self.value), self.tolerance)

    @property
    def p_value(self) -> float:
        """Significance of the distance between the simulated mean and value ± tolerance (Student's t)."""
        if self.simulated is None or math.isnan(self.simulated.mean):
            return 1.0
        distance = abs(self.simulated.mean - self.value) - self.tolerance
        if distance <= ROUNDING * abs(self.value):
            return 1.0
        error = math.hypot(self.simulated.error, self.value_error)
        if error == 0.0:
            return 0.0
        return 2.0 * float(stats.t.sf(distance / error, self.simulated.replications - 1))

    @property
    def solver_agrees(self) -> bool | None:
        """Whether the solver's value lies in value ± tolerance; None without a solver."""
        if self.solved is None:
            return None
        return bool(abs(self.solved - self.value) <= self.tolerance + ROUNDING * abs(self.value))

    @property
    def share(self) -> float:
        """Half-width, relative to the value, that is narrow enough."""
        return CROSS_CHECKING if self.value_error else CONFIRMING if self.solver_agrees else SUFFICIENT

    @property
    def narrow(self) -> bool:
        """Whether the interval is narrow enough to agree."""
        if self.simulated is None:
            return self.solver_agrees is True
        return self.simulated.half_width <= self.allowed(self.share)

    def as_dict(self) -> dict:
        """Returns a JSON form."""
        return {
            "simulator": self.simulator,
            "case": self.case,
            "quantity": self.quantity,
            "value": None if math.isnan(self.value) else self.value,
            "tolerance": self.tolerance,
            "source": self.source,
            "solved": self.solved,
            "simulated": self.simulated.as_dict() if self.simulated else None,
            "verdict": str(self.verdict),
            "notes": self.notes,
        }


def judge(rows: Sequence[Row]) -> None:
    """Sets the verdicts of a whole table."""
    open_rows = [row for row in rows if row.verdict is None]
    adjusted = holm([row.p_value for row in open_rows])
    for row, p in zip(open_rows, adjusted, strict=True):
        row.verdict = _verdict(row, rejected=p is not None and p <= LEVEL)
    good = {
        (row.case, row.quantity) for row in rows if row.verdict is Verdict.AGREES and not row.exact_beside
    }
    for row in rows:
        if row.verdict is Verdict.DISAGREES and row.exact_beside and (row.case, row.quantity) in good:
            row.verdict = Verdict.DIFFERS


def _verdict(row: Row, rejected: bool) -> Verdict:
    if row.solver_agrees is False:
        row.notes.append(f"the solver gives {row.solved:.6g}")
        return Verdict.DISAGREES
    if rejected:
        return Verdict.DISAGREES
    if not row.sound:
        return Verdict.INCONCLUSIVE
    if row.simulated is None and row.solved is None:
        return Verdict.INCONCLUSIVE
    if row.growing and row.simulated and abs(row.simulated.mean) <= row.simulated.half_width:
        row.notes.append("the interval of the growth rate includes 0")
        return Verdict.INCONCLUSIVE
    if not row.narrow:
        row.notes.append("the interval is too wide")
        return Verdict.INCONCLUSIVE
    return Verdict.AGREES
