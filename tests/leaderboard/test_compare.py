"""Statistics of a board against direct computations."""

import numpy as np
import pytest
from scipy import stats

from simdistill.leaderboard import aggregates, compare
from simdistill.simulation import generator
from simdistill.statistics import Estimate


def test_differences_are_paired_by_seed():
    # Seeds differ by far more than methods do.
    ours, theirs = {0: 0.10, 1: 0.50, 2: 0.90, 7: 0.0}, {0: 0.12, 1: 0.53, 2: 0.91}
    found = compare.paired(ours, theirs)
    assert found is not None and found["seeds"] == 3
    direct = stats.ttest_rel([0.12, 0.53, 0.91], [0.10, 0.50, 0.90])
    assert found["mean"] == pytest.approx(0.02)
    assert found["ci95"] == pytest.approx(list(direct.confidence_interval(0.95)))
    assert found["p"] == pytest.approx(direct.pvalue)


def test_one_seed_has_no_interval_and_none_no_difference():
    found = compare.paired({0: 0.1}, {0: 0.3, 1: 0.2})
    assert found is not None and found["ci95"] is None and found["p"] is None
    assert compare.side(found["ci95"]) == "unknown"
    assert compare.paired({0: 0.1}, {1: 0.3}) is None


def test_equal_methods_are_a_tie():
    found = compare.paired({0: 0.1, 1: 0.2}, {0: 0.1, 1: 0.2})
    assert found is not None and found["p"] == 1.0 and compare.side(found["ci95"]) == "tie"


@pytest.mark.parametrize(
    "losses_DR", [[[0.0, 0.1, 0.2, 0.9], [0.3, 0.4, 0.5, 1.0]], [[0.7], [0.2, 0.1, 0.6], [0.3, 0.5, 0.4]]]
)
def test_the_interquartile_mean_is_that_of_the_middle_half(losses_DR):
    found = aggregates.aggregate([np.array(loss_R) for loss_R in losses_DR], generator((0,)))
    assert found["iqm"]["mean"] == pytest.approx(stats.trim_mean(np.concatenate(losses_DR), 0.25))


def test_the_stratified_bootstrap_resamples_seeds_within_tasks():
    losses_DR = [np.array([0.1, 0.1, 0.1]), np.array([0.5, 0.6, 0.7]), np.array([0.3, 0.3, 0.3])]
    found = aggregates.aggregate(losses_DR, generator((0,)))
    random, direct = np.random.default_rng(1), []
    for _ in range(4000):
        direct.append(np.mean([0.1, random.choice(losses_DR[1], 3).mean(), 0.3]))
    assert found["mean"]["mean"] == pytest.approx(1 / 3)
    assert found["mean"]["bootstrap"] == pytest.approx(np.quantile(direct, [0.025, 0.975]), abs=0.01)
    low, high = found["mean"]["bootstrap_tasks"]
    assert low < 0.2 and high > 0.5, "tasks differ by more"


def test_the_mean_over_two_tasks_has_the_interval_of_welchs_test():
    """Half the sum of two means is half the difference of one and the other's negative."""
    one, other = np.array([0.1, 0.3, 0.2]), np.array([0.9, 0.1, 0.4, 0.5])
    found = aggregates.aggregate([one, other], generator((0,)))["mean"]
    welch = stats.ttest_ind(one, -other, equal_var=False).confidence_interval(0.95)
    assert found["ci95"] == pytest.approx([welch.low / 2, welch.high / 2])
    assert found["ci95_tasks"] is None, "two tasks say nothing of others"


def test_the_interval_over_tasks_is_students_over_their_means():
    losses_DR = [np.array([0.1, 0.2]), np.array([0.4]), np.array([0.6, 0.9, 0.3])]
    found = aggregates.aggregate(losses_DR, generator((0,)))["mean"]
    direct = stats.ttest_1samp([0.15, 0.4, 0.6], 0.0).confidence_interval(0.95)
    assert found["ci95_tasks"] == pytest.approx(list(direct)) and found["ci95"] is None


def test_one_seed_of_a_task_leaves_only_the_intervals_over_tasks():
    losses_DR = [np.array([0.1]), np.array([0.5, 0.6]), np.array([0.2, 0.4])]
    found = aggregates.aggregate(losses_DR, generator((0,)))
    assert found["iqm"]["ci95"] is None and found["iqm"]["ci95_tasks"] is not None
    assert aggregates.median(losses_DR, generator((0,))) == {"mean": pytest.approx(0.3), "ci95": None}


@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_intervals_about_these_tasks_cover_the_truth(statistic):
    """Where a bootstrap of three seeds on four tasks holds it in some 85 of 100 cases."""
    random, held = np.random.default_rng(0), 0
    expected_T = np.array([0.0, 0.01, 0.02, 0.06])
    truth = float(getattr(np, statistic)(expected_T))
    for draw in range(300):
        losses_DR = list(expected_T[:, None] + random.normal(size=(4, 3)) * 0.01)
        found = (
            aggregates.aggregate(losses_DR, generator((draw,)))["mean"]
            if statistic == "mean"
            else aggregates.median(losses_DR, generator((draw,)))
        )
        held += found["ci95"][0] <= truth <= found["ci95"][1]
    assert held / 300 > 0.93


def test_unstable_students_lose_all():
    assert compare.loss(None) == compare.loss(Estimate(7.0)) == compare.LIMIT
    assert compare.loss(Estimate(-0.02)) == -0.02


def test_a_profile_is_the_share_of_runs_within_a_distance():
    losses_DR = [np.array([0.0, 0.1]), np.array([0.2])]
    found = aggregates.profile(losses_DR, [0.0, 0.1, 0.3], generator((0,)))
    assert found["share"] == pytest.approx([0.25, 0.5, 1.0])
    # Of the first task's two runs none to both are within no distance; the second's is always the same.
    assert found["low"] == pytest.approx([0.0, 0.5, 1.0]) and found["high"] == pytest.approx([0.5, 0.5, 1.0])
