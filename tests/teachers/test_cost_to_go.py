"""Values of searched states: centred, shrunk, fitted and combined."""

import numpy as np
import pytest

from simdistill.simulation import EPISODE, TRAIN
from simdistill.simulation.branching import Values
from simdistill.simulation.situations import Situation
from simdistill.simulators.queueing import Queueing
from simdistill.teachers import cost_to_go as values
from simdistill.teachers.cost_to_go import (
    DECAYS,
    Searched,
    centred,
    combine_with_fit,
    difference_errors,
    shrink_variances,
    weigh_by_precision,
)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def searched(differences_CK, choices=("A", "B"), group=0, jobs=(1, 2)):
    difference_CK = np.array(differences_CK, dtype=float)
    situation = Situation(
        Queueing.parse({}), (0, TRAIN, EPISODE, group), (), 0.0, {"jobs": list(jobs)}, choices
    )
    return Searched(
        situation, Values(0, difference_CK, np.ones_like(difference_CK, dtype=bool), 1.0, 1), group
    )


def test_costs_are_centred_over_the_legal_choices():
    items = [searched([[0, 0], [2, 4]]), searched([[0, 0], [1, 3]], choices=("C", "A"))]
    costs_SC, variances_SC = centred(items, ("A", "B", "C"))
    np.testing.assert_allclose(costs_SC, [[-1.5, 1.5, np.nan], [1.0, np.nan, -1.0]])
    # Halves of the differences: variance 0.5 over two futures, for every state alike.
    np.testing.assert_allclose(variances_SC[np.isfinite(costs_SC)], 0.25)
    assert np.isnan(variances_SC[0, 2])


def test_simulated_and_fitted_costs_are_weighted_by_precision():
    costs_SC, fitted_SC = np.array([[-1.0, 1.0]]), np.array([[-3.0, 3.0]])
    combined = weigh_by_precision(("A", "B"), costs_SC, np.array([[1.0, 1.0]]), fitted_SC, (3.0, 0.0))
    np.testing.assert_allclose(combined.costs_SC, [[0.0, 3.0]])  # (3 * 1 + 1 * 3) / 4, twice
    np.testing.assert_allclose(combined.errors_SC, [[0.0, 2 * np.sqrt(3.0 / 4.0)]])
    sure = weigh_by_precision(("A", "B"), costs_SC, np.array([[1e-12, 1e-12]]), fitted_SC, (3.0, 0.0))
    np.testing.assert_allclose(sure.costs_SC, [[0.0, 2.0]])


def test_combined_values_are_nearer_to_the_truth_and_know_how_near():
    random = np.random.default_rng(0)
    items, truth_S = [], []
    for number in range(500):
        jobs = random.integers(0, 12, 2)
        truth_S.append(0.3 * (jobs[1] - jobs[0]))
        differences_K = truth_S[-1] + random.normal(0.0, 4.0, 8)
        items.append(searched([[0.0] * 8, differences_K], group=number // 10, jobs=jobs.tolist()))
    _, labels = combine_with_fit(items, 0, 1, 5)
    truth_S = np.array(truth_S)
    raw_S = np.array([item.values.mean_C[1] for item in items])
    combined_S = labels.costs_SC[:, 1] - labels.costs_SC[:, 0]
    errors_S = labels.errors_SC.max(axis=1)

    def rms(values):
        return np.sqrt(np.mean(values**2))

    regression, left = combine_with_fit(items, 0, 1, 5, combine=False)
    np.testing.assert_allclose(left.costs_SC[:, 1] - left.costs_SC[:, 0], raw_S)
    assert regression.spread is None
    assert rms(combined_S - truth_S) < 0.6 * rms(raw_S - truth_S)
    assert 0.5 < rms((combined_S - truth_S) / errors_S) < 1.5


def test_differences_of_two_among_many_know_how_near_they_are():
    """Independent noise of equal size: a difference has twice the variance of one cost."""
    random = np.random.default_rng(0)
    noise_SCK = random.normal(0.0, 1.0, (2000, 10, 8))
    items = [searched(noise_CK, choices=tuple("ABCDEFGHIJ"), group=n) for n, noise_CK in enumerate(noise_SCK)]
    costs_SC, variances_SC = centred(items, tuple("ABCDEFGHIJ"))
    labels = weigh_by_precision(tuple("ABCDEFGHIJ"), costs_SC, variances_SC, np.zeros_like(costs_SC), None)
    said = np.median(labels.errors_SC[labels.errors_SC > 0])
    assert said == pytest.approx(
        np.std(noise_SCK[:, 0].mean(axis=1) - noise_SCK[:, 1].mean(axis=1)), rel=0.05
    )


def test_one_future_of_each_state_is_combined_with_the_fit_too():
    """Without a variance within a state there is that over states, which is at least as large."""
    random = np.random.default_rng(0)
    items, truth_S = [], []
    for number in range(500):
        jobs = random.integers(0, 12, 2)
        truth_S.append(0.3 * (jobs[1] - jobs[0]))
        difference = truth_S[-1] + random.normal(0.0, 4.0)
        items.append(searched([[0.0], [difference]], group=number // 10, jobs=jobs.tolist()))
    costs_SC, variances_SC = centred(items, ("A", "B"))
    assert (variances_SC == (costs_SC**2).mean(axis=0)).all()
    assert items[0].values.standard_error_C.tolist() == [0.0, np.inf]
    _, labels = combine_with_fit(items, 0, 1, 5)
    combined_S = labels.costs_SC[:, 1] - labels.costs_SC[:, 0]
    raw_S = np.array([item.values.mean_C[1] for item in items])
    error, raw_error = (np.sqrt(np.mean((found - truth_S) ** 2)) for found in (combined_S, raw_S))
    assert error < 0.4 * raw_error and (labels.errors_SC.max(axis=1) > 0).all()


def test_futures_without_what_is_rare_and_dear_do_not_count_for_more():
    """B saves 0.5 seventeen times out of twenty and costs 6 three times, so 0.475 on average."""
    random = np.random.default_rng(0)
    items = []
    for number in range(600):
        dear_K = random.random(4) < 0.15
        differences_K = np.where(dear_K, 6.0, -0.5) + random.normal(0.0, 0.5, 4)
        jobs = random.integers(0, 12, 2).tolist()
        items.append(searched([[0.0] * 4, differences_K], group=number, jobs=jobs))
    states = [item.situation.state for item in items]

    def fitted(shrink: bool) -> np.ndarray:
        regression, _ = combine_with_fit(items, 0, 1, 5, shrink=shrink)
        costs_SC = regression.network.costs(states)
        return costs_SC[:, 1] - costs_SC[:, 0]

    assert (fitted(shrink=True) > 0).mean() > 0.9
    assert (fitted(shrink=False) < 0).mean() > 0.9


def test_a_variance_shrinks_towards_its_prediction():
    own_SC, predicted_SC = np.array([[0.0, 2.0]]), np.log([[1.0, 1.0]])
    np.testing.assert_allclose(shrink_variances(own_SC, predicted_SC, 11), [[0.5, 1.5]])
    np.testing.assert_allclose(shrink_variances(own_SC, predicted_SC, 10_001), own_SC, atol=2e-3)


def test_without_predictions_a_small_variance_moves_towards_the_median():
    own_SC = np.array([[0.0, 2.0, 6.0, np.nan]])
    np.testing.assert_allclose(shrink_variances(own_SC, None, 11), [[1.0, 2.0, 6.0, np.nan]])
    np.testing.assert_array_equal(shrink_variances(own_SC, None, 1), own_SC)


def test_the_predicted_variance_is_that_of_the_futures():
    random = np.random.default_rng(0)
    items = []
    for number in range(800):
        jobs = random.integers(0, 12, 2)
        differences_K = random.normal(0.0, 1.0 + jobs[0], 6)
        items.append(searched([[0.0] * 6, differences_K], group=number, jobs=jobs.tolist()))
    noise = combine_with_fit(items, 0, 1, 5)[0].noise
    assert noise is not None
    for longest in (0, 5, 11):
        true = (1.0 + longest) ** 2 / 4 / 6  # of half the difference, over six futures
        found = np.exp(noise.costs([{"jobs": [longest, other]} for other in range(12)]))
        assert found.mean() == pytest.approx(true, rel=0.3)


@pytest.mark.parametrize(("noise", "decay"), [(0.1, DECAYS[0]), (60.0, DECAYS[-1])])
def test_the_noisier_the_values_the_smoother_the_fit(noise, decay):
    random = np.random.default_rng(0)
    items = []
    for number in range(300):
        jobs = random.integers(0, 12, 2)
        differences_K = jobs[1] - jobs[0] + random.normal(0.0, noise, 8)
        items.append(searched([[0.0] * 8, differences_K], group=number, jobs=jobs.tolist()))
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        for decays in (DECAYS, (decay,)):
            patch.setattr(values, "DECAYS", decays)
            found[decays] = combine_with_fit(items, 0, 1, 5)[0].network
    states = [item.situation.state for item in items]
    np.testing.assert_array_equal(found[DECAYS].costs(states), found[decay,].costs(states))


def test_choices_that_are_not_legal_stay_out_of_the_labels():
    costs_SC = np.array([[1.0, -1.0, np.nan]])
    combined = weigh_by_precision(
        ("A", "B", "C"), costs_SC, np.abs(costs_SC), np.array([[1.0, -1.0, -9.0]]), (1.0, 0.0)
    )
    np.testing.assert_allclose(combined.costs_SC, [[2.0, 0.0, np.nan]])


def test_decisions_with_different_choices_are_fitted_together():
    random = np.random.default_rng(0)
    items = [
        searched(
            [[0.0] * 4, random.normal(2.0, 1.0, 4)],
            choices=("AB", "BC", "CA")[n % 3],
            group=n // 4,
            jobs=(n, 1),
        )
        for n in range(24)
    ]
    regression, labels = combine_with_fit(items, 0, 1, 3)
    spread = regression.spread
    assert set(regression.network.labels) == set(labels.names) == {"A", "B", "C"}
    assert (np.isfinite(labels.costs_SC).sum(axis=1) == 2).all()
    assert spread is not None and min(spread) >= 0


def test_one_surviving_episode_is_enough():
    random = np.random.default_rng(0)
    items = [searched([[0.0] * 4, random.normal(2.0, 1.0, 4)], jobs=(n, 1)) for n in range(12)]
    regression, labels = combine_with_fit(items, 0, 1, 5)
    assert np.isfinite(regression.network.costs([{"jobs": [1, 1]}])).all()
    assert np.isfinite(labels.costs_SC).all()


def test_a_difference_of_two_has_the_sum_of_their_errors_and_of_many_less():
    two_SC = difference_errors(np.array([[1.0, 4.0]]), np.array([0]))
    np.testing.assert_allclose(two_SC, [[0.0, 3.0]])
    many_SC = difference_errors(np.full((1, 5), 4.0), np.array([2]))
    np.testing.assert_allclose(many_SC, [[10.0**0.5, 10.0**0.5, 0.0, 10.0**0.5, 10.0**0.5]])
