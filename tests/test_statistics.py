"""Intervals that cover what they should."""

import numpy as np
import pytest
from scipy import stats

from simdistill.statistics import Estimate, bootstrap_estimate, geometric_estimate, holm, mean_estimate


def test_the_mean_has_students_interval():
    values = [4.0, 6.0, 5.0, 9.0]
    interval = mean_estimate(values)
    reference = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert (interval.mean, interval.low, interval.high) == pytest.approx((6.0, reference.low, reference.high))
    assert interval.as_dict() == {"mean": 6.0, "ci95": [interval.low, interval.high]}


def test_one_value_has_no_width():
    assert mean_estimate([3.0]) == Estimate(3.0, 3.0, 3.0)
    only = bootstrap_estimate(lambda units: units.mean(axis=1), np.array([3.0]), np.random.default_rng(0))
    assert only == Estimate(3.0, 3.0, 3.0)


def test_about_95_of_100_intervals_cover_the_mean():
    random = np.random.default_rng(1)
    covered = [(i := mean_estimate(random.normal(2.0, 3.0, 5))).low < 2.0 < i.high for _ in range(400)]
    assert 0.92 < np.mean(covered) < 0.98


def test_the_bootstrap_resamples_whole_units():
    random = np.random.default_rng(2)
    pairs = np.stack([random.gamma(2.0, 5.0, 40)] * 2, axis=1) * [1.0, 1.02]

    def ratio(units):
        return units[:, :, 1].sum(axis=1) / units[:, :, 0].sum(axis=1) - 1.0

    interval = bootstrap_estimate(ratio, pairs, np.random.default_rng(0))
    # Both totals vary by far more than 2%, their ratio doesn't: the pairs stay together.
    assert (interval.mean, interval.low, interval.high) == pytest.approx((0.02, 0.02, 0.02))


def test_the_bootstrap_agrees_with_the_normal_interval_of_a_mean():
    values = np.random.default_rng(3).normal(10.0, 2.0, 200)
    interval = bootstrap_estimate(lambda units: units.mean(axis=1), values, np.random.default_rng(0))
    reference = mean_estimate(values)
    assert interval.mean == pytest.approx(reference.mean)
    assert (interval.low, interval.high) == pytest.approx((reference.low, reference.high), abs=0.05)
    again = bootstrap_estimate(lambda units: units.mean(axis=1), values, np.random.default_rng(0))
    assert again == interval


def test_the_geometric_mean_has_students_interval_of_the_logarithms():
    values = [4.0, 6.0, 5.0, 9.0]
    estimate, logs = geometric_estimate(values), mean_estimate(np.log(values))
    assert estimate.mean == pytest.approx(stats.gmean(values))
    assert estimate.ci95 == pytest.approx([np.exp(logs.low), np.exp(logs.high)])
    assert geometric_estimate([4.0]).ci95 is None


def test_an_estimate_is_read_as_it_was_written():
    for estimate in (Estimate(0.5, 0.25, 0.75), Estimate(0.5)):
        assert Estimate.of(estimate.as_dict()) == estimate
    assert Estimate.of(None) is None and Estimate.of({"mean": None, "ci95": None}) is None


def test_holms_correction_steps_down():
    # Holm's rule by hand: 3 x 0.01, 2 x 0.02, then never below the one before.
    assert holm([0.02, None, 0.01, 0.03]) == pytest.approx([0.04, None, 0.03, 0.04])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []
