"""The student's cost relative to the reference's."""

from simdistill.evaluation import summaries
from simdistill.evaluation.examination import Examination
from simdistill.evaluation.metrics.metric import Metric
from simdistill.statistics import Estimate


class OverReference(Metric):
    """Ratio of the student's cost to the reference's, minus one; costs are pooled over parameter sets."""

    title = "over the reference"
    description = "the student's cost over the reference's, minus one; lower is better"
    relative = True

    def in_setting(self, examination: Examination, setting: str) -> Estimate | None:
        seed = examination.settings.seed
        return summaries.over(examination.cases, setting, "student", examination.reference, seed)
