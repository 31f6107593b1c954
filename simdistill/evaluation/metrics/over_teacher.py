"""The student's cost relative to its own teacher's."""

from simdistill.evaluation import summaries
from simdistill.evaluation.examination import Examination
from simdistill.evaluation.metrics.metric import Metric
from simdistill.statistics import Estimate


class OverTeacher(Metric):
    """Ratio of the student's cost to its own teacher's, minus one; costs are pooled over parameter sets."""

    title = "over its teacher"
    description = "the student's cost over its own teacher's, minus one; lower is better"
    relative = True

    def in_setting(self, examination: Examination, setting: str) -> Estimate | None:
        return summaries.over(examination.cases, setting, "student", "teacher", examination.settings.seed)
