"""Share of the heuristic's gap to the reference that the student closes.

Axes: U resampled units, X policies.
"""

from simdistill.evaluation.examination import Examination
from simdistill.evaluation.metrics.metric import Metric
from simdistill.evaluation.summaries import resampling, units
from simdistill.statistics import Estimate, bootstrap_estimate


class HeuristicGapClosed(Metric):
    """Share of the heuristic's excess cost over the reference that the student saves.

    The share is undefined if the interval of the gap itself includes zero, or if a policy is unstable.
    """

    title = "heuristic's gap closed"
    description = "share of the heuristic's excess cost over the reference that the student saves"
    relative = True

    def in_setting(self, examination: Examination, setting: str) -> Estimate | None:
        names = (examination.task.heuristic, "student", examination.reference)
        cost_UX = units(examination.cases, setting, names)
        if cost_UX is None:
            return None
        seed = examination.settings.seed
        gap = bootstrap_estimate(lambda p: (p[..., 0] - p[..., 2]).sum(-1), cost_UX, resampling(seed))
        if gap.low <= 0:
            return None
        return bootstrap_estimate(
            lambda p: (p[..., 0] - p[..., 1]).sum(-1) / (p[..., 0] - p[..., 2]).sum(-1),
            cost_UX,
            resampling(seed),
        )
