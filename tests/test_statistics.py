"""Intervals that cover what they should."""

import numpy as np
import pytest
from scipy import stats

from simdistill.statistics import Interval, bootstrap_interval, mean_interval


def test_the_mean_has_students_interval():
    values = [4.0, 6.0, 5.0, 9.0]
    interval = mean_interval(values)
    reference = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert (interval.mean, interval.low, interval.high) == pytest.approx((6.0, reference.low, reference.high))
    assert interval.as_dict() == {"mean": 6.0, "ci95": [interval.low, interval.high]}


def test_one_value_has_no_width():
    assert mean_interval([3.0]) == Interval(3.0, 3.0, 3.0)
    only = bootstrap_interval(lambda units: units.mean(axis=1), np.array([3.0]), np.random.default_rng(0))
    assert only == Interval(3.0, 3.0, 3.0)


def test_about_95_of_100_intervals_cover_the_mean():
    random = np.random.default_rng(1)
    covered = [(i := mean_interval(random.normal(2.0, 3.0, 5))).low < 2.0 < i.high for _ in range(400)]
    assert 0.92 < np.mean(covered) < 0.98


def test_the_bootstrap_resamples_whole_units():
    random = np.random.default_rng(2)
    pairs = np.stack([random.gamma(2.0, 5.0, 40)] * 2, axis=1) * [1.0, 1.02]

    def ratio(units):
        return units[:, :, 1].sum(axis=1) / units[:, :, 0].sum(axis=1) - 1.0

    interval = bootstrap_interval(ratio, pairs, np.random.default_rng(0))
    # Both totals vary by far more than 2%, their ratio doesn't: the pairs stay together.
    assert (interval.mean, interval.low, interval.high) == pytest.approx((0.02, 0.02, 0.02))


def test_the_bootstrap_agrees_with_the_normal_interval_of_a_mean():
    values = np.random.default_rng(3).normal(10.0, 2.0, 200)
    interval = bootstrap_interval(lambda units: units.mean(axis=1), values, np.random.default_rng(0))
    reference = mean_interval(values)
    assert interval.mean == pytest.approx(reference.mean)
    assert (interval.low, interval.high) == pytest.approx((reference.low, reference.high), abs=0.05)
    again = bootstrap_interval(lambda units: units.mean(axis=1), values, np.random.default_rng(0))
    assert again == interval
