"""Verdicts on figures, and how often they are wrong."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from simdistill.validation.comparison import Margin, Verdict, compare, judged

RUNS = 1500


def one(original_R, model_R, margin=None):
    return judged([compare("wait", original_R, model_R, margin or Margin(0.02), 0.05)], 0.05)[0]


def welch(first_R, second_R, alternative) -> float:
    found: Any = stats.ttest_ind(first_R, second_R, equal_var=False, alternative=alternative)
    return found.pvalue


def normal(random, mean, deviation, count):
    return random.normal(mean, deviation, count)


def test_the_interval_and_the_tests_are_welchs():
    random = np.random.default_rng(1)
    original_R, model_R = random.normal(10, 1, 12), random.normal(10.2, 2, 20)
    found = one(original_R, model_R, Margin(1.0, relative=False))
    interval = stats.ttest_ind(model_R, original_R, equal_var=False).confidence_interval(0.9)
    assert [found.low, found.high] == pytest.approx([interval.low, interval.high])
    lower, upper = (welch(model_R + 1, original_R, "greater"), welch(model_R - 1, original_R, "less"))
    assert found.p_equivalent == pytest.approx(max(lower, upper))


def test_the_margin_of_a_share_is_as_uncertain_as_the_mean():
    random = np.random.default_rng(2)
    original_R, model_R = random.normal(10, 1, 12), random.normal(10, 1, 12)
    found = one(original_R, model_R, Margin(0.5))
    lower, upper = (welch(model_R, 0.5 * original_R, "greater"), welch(model_R, 1.5 * original_R, "less"))
    assert found.p_equivalent == pytest.approx(max(lower, upper))


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("margin", [Margin(0.02), Margin(0.2, relative=False)])
def test_a_difference_at_the_margin_passes_as_often_as_the_level_says(margin, sign):
    random = np.random.default_rng(3)
    passed = {0.98: 0, 1.02: 0}
    for place in passed:
        for _ in range(RUNS):
            original_R = normal(random, sign * 10, 0.3, 25)
            model_R = normal(random, sign * 10 * place, 0.2, 40)
            passed[place] += one(original_R, model_R, margin).verdict is Verdict.EQUIVALENT
    # Four standard errors of a share of 5%.
    assert all(abs(count / RUNS - 0.05) < 4 * math.sqrt(0.05 * 0.95 / RUNS) for count in passed.values())


def test_a_table_with_a_difference_at_the_margin_rarely_passes_or_is_called_different():
    random = np.random.default_rng(4)
    passed = differs = 0
    for _ in range(400):
        figures = [
            compare("f", normal(random, 10, 0.3, 25), normal(random, mean, 0.3, 25), Margin(0.02), 0.05)
            for mean in (10.2, 10.2, 9.8, 10.0)
        ]
        found = [figure.verdict for figure in judged(figures, 0.05)]
        passed += all(verdict is Verdict.EQUIVALENT for verdict in found)
        differs += any(verdict is Verdict.DIFFERENT for verdict in found)
    assert passed <= 0.05 * 400 and differs <= 0.08 * 400


def test_as_many_replications_as_are_said_to_be_needed_are_enough():
    random = np.random.default_rng(5)
    few = one(normal(random, 10, 0.8, 10), normal(random, 10, 0.8, 10))
    assert few.verdict is Verdict.TOO_WIDE
    # Of a true deviation of 0.8: 2 (1.645 + 1.645)² (0.8 / 0.2)² = 346
    exact = one(np.tile([10 - 0.8, 10 + 0.8], 8), np.tile([10 - 0.8, 10 + 0.8], 8))
    assert exact.needed is not None and 340 <= exact.needed <= 400
    passed = sum(
        one(normal(random, 10, 0.8, 350), normal(random, 10, 0.8, 350)).verdict is Verdict.EQUIVALENT
        for _ in range(300)
    )
    assert 0.84 < passed / 300 < 0.96


def test_a_mean_that_may_be_0_has_no_share():
    random = np.random.default_rng(6)
    lost = random.normal(0, 0.1, 30)
    found = one(lost, lost[::-1])
    assert found.verdict is Verdict.TOO_WIDE and "--absolute wait=VALUE" in found.note
    assert one(lost, lost[::-1], Margin(0.5, relative=False)).verdict is Verdict.EQUIVALENT


def test_figures_without_any_spread_are_compared_as_they_are():
    assert one([3.0, 3.0], [3.0, 3.0]).verdict is Verdict.EQUIVALENT
    assert one([0.0, 0.0], [0.0, 0.0]).verdict is Verdict.EQUIVALENT
    assert one([0.1 * 3] * 5, [0.3] * 5).verdict is Verdict.EQUIVALENT
    assert one([100.0, 100.0], [102.0, 102.0]).verdict is Verdict.EQUIVALENT
    assert one([100.0, 100.0], [102.1, 102.1]).verdict is Verdict.DIFFERENT
    assert one([0.0, 0.0], [1.0, 1.0]).verdict is Verdict.DIFFERENT


def test_replications_without_a_value_are_left_out():
    found = one([1.0, math.nan, 1.01, 0.99], [1.0, 1.001, math.nan, math.nan], Margin(0.5))
    assert (found.original.count, found.model.count) == (3, 2)
    none = one([math.nan, math.nan, 1.0], [1.0, 2.0, 3.0])
    assert none.verdict is Verdict.TOO_WIDE and "fewer than two" in none.note
    assert none.as_dict()["interval"] == [None, None]


def test_an_interval_outside_that_is_not_sure_of_so_many_figures_says_so():
    original_R = np.tile([9.0, 11.0], 15)
    near = compare("near", original_R, original_R + 0.75, Margin(0.02), 0.05)
    many = [compare("f", [1.0, 1.1, 0.9], [1.0, 1.1, 0.9], Margin(0.02), 0.05)] * 9
    found = judged([near, *many], 0.05)[0]
    assert near.low > near.margin
    assert found.verdict is Verdict.TOO_WIDE and "one of 10 figures" in found.note
    assert found.needed is not None and found.needed < 200
