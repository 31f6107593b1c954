"""Skill of the student's forecasts."""

from simdistill.evaluation import forecast_scores
from simdistill.evaluation.examination import Examination
from simdistill.evaluation.metrics.metric import Metric
from simdistill.evaluation.new_situations import FORECAST
from simdistill.simulation import PLAN, TEST, generator
from simdistill.statistics import Estimate


class ForecastSkill(Metric):
    """The student's share of the largest possible gain in log score over the marginal forecast.

    Forecasts are examined in distribution only.
    """

    title = "forecast skill"
    description = "0 for the marginal forecast, 1 for the simulator's own distribution"
    relative = True

    def in_setting(self, examination: Examination, setting: str) -> Estimate | None:
        if setting != "in_distribution" or not examination.forecasts:
            return None
        random = generator((examination.settings.seed, TEST, PLAN, FORECAST))
        return forecast_scores.skill(examination.forecasts, random)
