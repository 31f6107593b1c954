"""A metric: the teacher's cost over that of going with four cars."""

from simdistill.evaluation import summaries
from simdistill.evaluation.metrics import Metric


class CaptainOverFour(Metric):
    """The teacher's cost over that of going with four cars, minus one."""

    title = "captain over four"
    description = "the teacher's cost over that of going with four cars, minus one"
    relative = True

    def in_setting(self, examination, setting):
        """Returns the estimate in one setting."""
        return summaries.over(examination.cases, setting, "teacher", "with_four", examination.settings.seed)
