"""Estimates from replications, and the verdicts on them. Axes: R replications.

A simulated mean disagrees with a known value if it lies significantly outside value ± tolerance. The test
covers the whole table at once (Holm, A Simple Sequentially Rejective Multiple Test Procedure, 1979): for a
table of any length, the probability that any correct row is called a disagreement is at most 1%. To agree, a
row must not be rejected and its confidence interval must be narrow.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from scipy import stats

from simdistill.statistics import holm

LEVEL = 0.01
"""Significance level: largest probability that any correct row of a table is called a disagreement."""

PRECISE, SUFFICIENT, CONFIRMING, CROSS_CHECKING = 0.01, 0.02, 0.05, 0.1
"""Half-widths relative to the known value: wanted where cheap; narrow enough in general; narrow enough where
the solver agrees with the value; and narrow enough in a cross-check with Ciw, which is slow."""

ROUNDING = 1e-9
"""Relative difference below which two numbers differ by rounding error only."""


class Verdict(StrEnum):
    """Outcome of a comparison.

    Attributes:
        AGREES: The known value is reproduced.
        DISAGREES: The known value isn't reproduced.
        DIFFERS: A published figure isn't reproduced, but an exact figure for the same quantity is.
        INCONCLUSIVE: The budget was too small for a verdict, the warm-up was too short, or the value was
            neither simulated nor solved.
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
        error: Standard error of the mean; 0 if all replications give the same value.
        replications: Number of replications.
    """

    mean: float
    error: float
    replications: int

    @property
    def half_width(self) -> float:
        """Half-width of the 95% confidence interval."""
        if self.error == 0.0:
            return 0.0
        return self.error * float(stats.t.ppf(0.975, self.replications - 1))

    def as_dict(self) -> dict:
        """Returns the estimate as a JSON object."""
        if math.isnan(self.mean):
            return {"mean": None, "ci95": None, "replications": self.replications}
        half = self.half_width
        ci95 = [self.mean - half, self.mean + half]
        return {"mean": self.mean, "ci95": ci95, "replications": self.replications}


def of_means(values_R: np.ndarray) -> Estimate:
    """Returns the mean over independent replications with its standard error."""
    count = len(values_R)
    if count == 0:
        return Estimate(math.nan, math.nan, 0)
    error = float(values_R.std(ddof=1)) / math.sqrt(count) if count > 1 else 0.0
    return _estimate(float(values_R.mean()), error, count)


def of_ratio(sums_R: np.ndarray, weights_R: np.ndarray) -> Estimate:
    """Returns a ratio of means over independent replications, with the delta method's standard error.

    The number of observations in a replication is random, so the mean of the replications' own ratios would
    be biased (Law, Simulation Modeling and Analysis, section 9.4).
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
    """Returns the number of observations that MSER-5 deletes, and whether it deletes the most that it may.

    MSER-5 averages every five observations into a batch. It deletes batches from the beginning, at most half
    of them, so that the standard error of the mean of the rest is smallest (White, An Effective Truncation
    Heuristic for Bias Reduction in Simulation Output, 1997).
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
    """A known figure, and the solved and simulated figures that are compared with it.

    Attributes:
        simulator: Name of the simulator.
        case: Id of the case.
        quantity: Name of the measure, with the component of a list: `name[0]`.
        value: Known value.
        tolerance: Rounding or numerical error of the known value.
        source: Origin of the known value.
        solved: Value by the reference solver, if there is one.
        simulated: Estimate by simulation, if there is one.
        notes: Remarks for the reader, such as a later warm-up or the reason for an inconclusive row.
        sound: Whether the warm-up was long enough for the simulated value to be a steady state's.
        exact_beside: Whether the value isn't exact but the case also has an exact one of the same measure.
        growing: Whether the value is a growth rate; its interval must then exclude 0 as well.
        value_error: Standard error of the known value if it was simulated, as in a cross-check; 0 otherwise.
        verdict: Verdict; `judge` sets it, except where the case failed.
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
        """Returns the largest half-width allowed: a share of the value, or the tolerance if it is larger."""
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
        """Half-width, relative to the value, that is narrow enough for a verdict."""
        return CROSS_CHECKING if self.value_error else CONFIRMING if self.solver_agrees else SUFFICIENT

    @property
    def narrow(self) -> bool:
        """Whether the interval is narrow enough to agree; without simulation, whether the solver agrees."""
        if self.simulated is None:
            return self.solver_agrees is True
        return self.simulated.half_width <= self.allowed(self.share)

    def as_dict(self) -> dict:
        """Returns the row as a JSON object."""
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
    """Sets the verdicts of all rows of a table that have none yet."""
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
