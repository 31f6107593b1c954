"""Scores of forecasts against closed forms."""

import numpy as np
import pytest

from simdistill.evaluation.forecast_scores import ScoredForecast, log_scores, reliability, skill
from simdistill.simulation import Forecast

HOW_MANY = Forecast("How many in a minute?", "in_system", 1.0, (1, 2))
TRUE_NB = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.2, 0.5, 0.3], [0.05, 0.15, 0.8]])
MARGINAL_B = TRUE_NB.mean(axis=0)


def asked(student_NB, futures: int = 20_000) -> ScoredForecast:
    random = np.random.default_rng(0)
    buckets_NK = np.stack([random.choice(3, size=futures, p=true_B) for true_B in TRUE_NB])
    return ScoredForecast(HOW_MANY, np.asarray(student_NB), buckets_NK, MARGINAL_B)


def entropy(p_NB) -> float:
    return float(-(p_NB * np.log(p_NB)).sum(axis=1).mean())


def test_the_true_probabilities_have_all_the_skill():
    found = skill([asked(TRUE_NB)], np.random.default_rng(1))
    assert found.mean == pytest.approx(1.0, abs=0.005)
    assert log_scores([asked(TRUE_NB)])["student"] == pytest.approx(entropy(TRUE_NB), abs=0.01)


def test_the_marginal_forecast_has_no_skill():
    scores = log_scores([asked(np.tile(MARGINAL_B, (4, 1)))])
    assert scores["student"] == scores["marginal"]
    assert skill([asked(np.tile(MARGINAL_B, (4, 1)))], np.random.default_rng(1)).mean == 0.0


def test_an_overconfident_forecast_has_less_skill():
    sharp_NB = TRUE_NB**4 / (TRUE_NB**4).sum(axis=1, keepdims=True)
    assert skill([asked(sharp_NB)], np.random.default_rng(1)).mean < 0.8


def test_few_futures_do_not_lower_the_least_possible_score():
    few = [log_scores([asked(TRUE_NB, futures=40)])["simulator"], log_scores([asked(TRUE_NB)])["simulator"]]
    assert few[0] == pytest.approx(few[1], abs=0.05)


def test_a_bucket_called_impossible_that_happens_is_scored_and_not_infinite():
    wrong_NB = np.tile([1.0, 0.0, 0.0], (4, 1))
    assert np.isfinite(log_scores([asked(wrong_NB)])["student"])
    assert skill([asked(wrong_NB)], np.random.default_rng(1)).mean < -10


def test_reliability_compares_what_is_said_with_what_happens():
    points = reliability([asked(TRUE_NB)])
    assert sum(point["count"] for point in points) == TRUE_NB.size
    assert all(point["said"] == pytest.approx(point["happened"], abs=0.02) for point in points)
    unsure = reliability([asked(np.full((4, 3), 1 / 3))])
    [point] = unsure
    assert (point["said"], point["count"]) == (pytest.approx(1 / 3), 12)
    assert point["happened"] == pytest.approx(1 / 3)
