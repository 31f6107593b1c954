"""Skill of the student's forecasts."""

from simdistill.evaluation import forecast_scores
from simdistill.evaluation.examination import Examination
from simdistill.evaluation.metrics.metric import Metric
from simdistill.evaluation.new_situations import FORECAST
from simdistill.simulation import PLAN, TEST, generator
from simdistill.statistics import Estimate


class ForecastSkill(Metric):
    """Share of the predictable information beyond the marginal forecast that the student's forecasts have.

    Forecasts are asked for in distribution only.
    """

    title = "forecast skill"
    description = "0 for the marginal forecast, 1 for the simulator's own distribution"
    relative = True

    def in_setting(self, examination: Examination, setting: str) -> Estimate | None:
        if setting != "in_distribution" or not examination.forecasts:
            return None
        random = generator((examination.settings.seed, TEST, PLAN, FORECAST))
        return forecast_scores.skill(examination.forecasts, random)
