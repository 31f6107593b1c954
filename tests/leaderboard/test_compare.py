"""Statistics of a board against direct computations."""

import numpy as np
import pytest
from scipy import stats

from simdistill.leaderboard import compare
from simdistill.process import generator


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


def test_holm_steps_down():
    # Holm's own rule by hand: 3 x 0.01, 2 x 0.02, then not below what came before.
    assert compare.holm([0.02, None, 0.01, 0.03]) == pytest.approx([0.04, None, 0.03, 0.04])
    assert compare.holm([0.6, 0.7]) == [1.0, 1.0]
    assert compare.holm([]) == []


@pytest.mark.parametrize(
    "losses_TR", [[[0.0, 0.1, 0.2, 0.9], [0.3, 0.4, 0.5, 1.0]], [[0.7], [0.2, 0.1, 0.6], [0.3, 0.5, 0.4]]]
)
def test_the_interquartile_mean_is_that_of_the_middle_half(losses_TR):
    found = compare.aggregate([np.array(loss_R) for loss_R in losses_TR], generator((0,)))
    assert found["iqm"]["mean"] == pytest.approx(stats.trim_mean(np.concatenate(losses_TR), 0.25))


def test_the_stratified_bootstrap_resamples_seeds_within_tasks():
    losses_TR = [np.array([0.1, 0.1, 0.1]), np.array([0.5, 0.6, 0.7])]
    found = compare.aggregate(losses_TR, generator((0,)))
    random, direct = np.random.default_rng(1), []
    for _ in range(4000):
        direct.append(np.mean([0.1, random.choice(losses_TR[1], 3).mean()]))
    assert found["mean"]["mean"] == pytest.approx(0.35)
    assert found["mean"]["ci95"] == pytest.approx(np.quantile(direct, [0.025, 0.975]), abs=0.01)
    assert found["mean"]["ci95_tasks"] == pytest.approx([0.1, 0.63], abs=0.05), "tasks differ by more"


def test_one_seed_of_a_task_leaves_only_the_interval_over_tasks():
    found = compare.aggregate([np.array([0.1]), np.array([0.5, 0.6])], generator((0,)))
    assert found["iqm"]["ci95"] is None and found["iqm"]["ci95_tasks"] is not None


def test_unstable_students_lose_all():
    assert compare.loss(None) == compare.loss({"mean": 7.0}) == compare.LIMIT
    assert compare.loss({"mean": -0.02}) == -0.02


def test_a_profile_is_the_share_of_runs_within_a_distance():
    losses_TR = [np.array([0.0, 0.1]), np.array([0.2])]
    assert compare.profile(losses_TR, [0.0, 0.1, 0.3]) == pytest.approx([0.25, 0.5, 1.0])
