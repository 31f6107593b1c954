"""What-if search in generations on small budgets, judged by exact costs."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from simdistill.envs.episodes import Failure, explore, teaching_episode
from simdistill.errors import ProcessError
from simdistill.executors import simulating
from simdistill.mdp import evaluate, tabulate, uniform_policy
from simdistill.simulation import EPISODE, TRAIN, VALIDATION, Streams
from simdistill.simulation.branching import Values
from simdistill.simulation.situations import Situation
from simdistill.simulators.queueing import Queueing, join_shortest_queue, shortest_expected_delay
from simdistill.teachers import cost_to_go as values
from simdistill.teachers import search as module
from simdistill.teachers.acceptance_test import compare
from simdistill.teachers.cost_to_go import DECAYS, Labels, Searched, centred, combine, denoise, steadied
from simdistill.teachers.policies import named_policy
from simdistill.teachers.search import SearchTeacher
from simdistill.teachers.state_search import search


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Fragile(Queueing):
    """Breaks in every third scenario, after a while."""

    def observe(self, decision):
        if self.seed_path[-2] % 3 == 2 and self.env.now > 1.0:
            raise RuntimeError("router down")
        return super().observe(decision)


class Broken(Queueing):
    """Doesn't even begin."""

    def build(self):
        raise RuntimeError("router down")


def silent(*_):
    """No progress bar."""


def exact_cost(policy, **params):
    process = Queueing.markov(params, 40)
    return evaluate(process, tabulate(process, policy)).cost


def join_longest_queue(state, choices):
    return choices[int(np.argmax(state["jobs"]))]


@pytest.fixture(scope="module")
def improved(small):
    config = small.teacher.model_copy(update={"compared_sets": 20})
    return SearchTeacher(config, 0).teach(small.task, map, silent)


# A generation.


def test_a_generation_improves_on_its_base(improved):
    (generation,) = improved.generations
    assert generation.accepted
    assert generation.improvement.high < 0
    # 5.413 for the base, 4.787 for an exact step of improvement.
    assert exact_cost(improved.policy) < 5.2
    assert improved.policy is improved.regression.network
    assert generation.number == 1
    assert generation.states == 45 * 2 * 5
    assert generation.decisions > 450 * 8
    assert 0.5 < generation.coupled <= 1.0
    assert improved.failures == ()


def test_even_a_random_base_is_improved(even):
    lesson = SearchTeacher(even.teacher, 0).teach(even.task, map, silent)
    assert lesson.generations[0].accepted
    params = {"arrival_rate": 1.1, "service_rates": (1.2, 1.1)}
    process = Queueing.markov(params, 40)
    random = evaluate(process, uniform_policy(process)).cost
    assert exact_cost(lesson.policy, **params) < 0.9 * random


def test_a_worse_policy_is_refused(small, monkeypatch):
    def perverse(*arguments):
        regression, labels = denoise(*arguments)
        network = regression.network
        weights, biases = network.layers[-1]
        reversed_network = replace(network, layers=[*network.layers[:-1], (-weights, -biases)])
        return replace(regression, network=reversed_network), labels

    monkeypatch.setattr(module, "denoise", perverse)
    config = small.teacher.model_copy(update={"scenarios": 15})
    lesson = SearchTeacher(config, 0).teach(small.task, map, silent)
    assert not lesson.generations[0].accepted
    assert lesson.generations[0].improvement.low > 0
    assert lesson.policy is join_shortest_queue
    assert lesson.policy is not lesson.regression.network


def test_comparison_is_paired(even):
    long, short = join_longest_queue, shortest_expected_delay
    better, worse, same = (
        compare(even.task, 0, 1, pair, 30, map) for pair in [(long, short), (short, long), (short, short)]
    )
    assert better.low < better.high < 0 < worse.low < worse.high
    assert (same.mean, same.low, same.high) == (0.0, 0.0, 0.0)


# Reproducible.


def tiny(small, **changes):
    budget = {"scenarios": 4, "episodes_per_scenario": 1, "states_per_episode": 3, "futures": 4}
    return small.teacher.model_copy(update={**budget, **changes})


def differences(task, teacher, policy, compute, root=(0, TRAIN)):
    searched = search(task, teacher, root, 1, teacher.scenarios, policy, compute, [], silent)
    return np.concatenate([item.values.differences_CK.ravel() for item in searched])


def test_results_do_not_depend_on_the_number_of_workers(small, even):
    with simulating(2) as compute:
        for config, base in ((small, "join_shortest_queue"), (even, "random")):
            teacher, policy = tiny(config), named_policy("queueing", base)
            alone = differences(config.task, teacher, policy, map)
            together = differences(config.task, teacher, policy, compute)
            np.testing.assert_array_equal(alone, together)
            assert np.abs(alone).max() > 0


def test_a_seed_decides_the_search(small):
    teacher = tiny(small)
    first = differences(small.task, teacher, join_shortest_queue, map)
    np.testing.assert_array_equal(first, differences(small.task, teacher, join_shortest_queue, map))
    for root in ((1, TRAIN), (0, VALIDATION)):
        other = differences(small.task, teacher, join_shortest_queue, map, root)
        assert other.shape != first.shape or not np.array_equal(first, other)


def test_exploration_meets_other_states_and_can_be_replayed(small):
    def met(share, states=30, between=0):
        model = teaching_episode(small.task, (0, TRAIN), 1, 2, 0)
        return explore(model, shortest_expected_delay, share, Streams((0, TRAIN, 3, 1, 2)), states, between)

    plain, random = met(0.0), met(0.5)
    assert len(plain) == len(random) == 30
    assert plain[0].state == random[0].state
    assert [s.state for s in plain] != [s.state for s in random]
    for situation, following in pairwise(plain):
        answer = shortest_expected_delay(situation.state, situation.choices)
        assert following.actions == (*situation.actions, answer)
    strayed = [
        following.actions[-1] != shortest_expected_delay(situation.state, situation.choices)
        for situation, following in pairwise(random)
    ]
    assert 3 < sum(strayed) < 15  # half of the half that is random
    assert met(0.5) == random
    assert met(0.5, 10, 2) == random[::3]


def test_exploration_may_begin_later(small):
    def met(number, before, states=12):
        model = teaching_episode(small.task, (0, TRAIN), 1, 2, 0)
        streams = Streams((0, TRAIN, 3, 1, number))
        return explore(model, shortest_expected_delay, 0.5, streams, states, 0, before)

    skipped = [len(met(number, before=3, states=1)[0].actions) for number in range(40)]
    assert set(skipped) == {0, 1, 2, 3}
    whole = met(7, before=0)
    assert met(7, before=3, states=4) == whole[skipped[7] :][:4]


def test_episodes_of_a_scenario_share_their_rates_but_not_their_beginnings(small):
    one, two = (teaching_episode(small.task, (0, TRAIN), 1, 2, episode) for episode in range(2))
    other = teaching_episode(small.task, (0, TRAIN), 1, 3, 0)
    rates = [(m.params.arrival_rate, m.params.service_rates) for m in (one, two, other)]
    assert rates[0] == rates[1] != rates[2]
    assert one.params.initial_jobs != two.params.initial_jobs
    assert one.seed_path != two.seed_path
    assert one.seed_path[:3] == (0, TRAIN, EPISODE)


# Episodes that fail.


def test_failed_episodes_are_listed_and_others_go_on(small):
    task = small.task.model_copy(update={"simulator": f"{__name__}:Fragile"})
    failures, progress = [], []
    searched = search(
        task,
        tiny(small),
        (0, TRAIN),
        1,
        6,
        join_shortest_queue,
        map,
        failures,
        lambda *done: progress.append(done),
    )
    assert [failure.seed_path for failure in failures] == [[0, TRAIN, EPISODE, 1, n, 0] for n in (2, 5)]
    assert failures[0].message.startswith(
        "Fragile: RuntimeError: router down (episode 0, seed [0, 0, 0, 1, 2, 0], time "
    )
    assert {item.situation.path[-2] for item in searched} == {0, 1, 3, 4}
    assert progress == [(n, 6) for n in range(1, 7)]


def test_a_search_whose_episodes_all_fail(small):
    task = small.task.model_copy(update={"simulator": f"{__name__}:Broken"})
    failures: list[Failure] = []
    with pytest.raises(ProcessError, match=r"every teaching episode failed; .*router down \(episode 0"):
        search(task, tiny(small), (0, TRAIN), 1, 2, join_shortest_queue, map, failures, silent)
    assert len(failures) == 2


# Mending.


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
    mended = combine(("A", "B"), costs_SC, np.array([[1.0, 1.0]]), fitted_SC, (3.0, 0.0))
    np.testing.assert_allclose(mended.costs_SC, [[0.0, 3.0]])  # (3 * 1 + 1 * 3) / 4, twice
    np.testing.assert_allclose(mended.errors_SC, [[0.0, 2 * np.sqrt(3.0 / 4.0)]])
    sure = combine(("A", "B"), costs_SC, np.array([[1e-12, 1e-12]]), fitted_SC, (3.0, 0.0))
    np.testing.assert_allclose(sure.costs_SC, [[0.0, 2.0]])


def test_mended_values_are_nearer_to_the_truth_and_know_how_near():
    random = np.random.default_rng(0)
    items, truth_S = [], []
    for number in range(500):
        jobs = random.integers(0, 12, 2)
        truth_S.append(0.3 * (jobs[1] - jobs[0]))
        differences_K = truth_S[-1] + random.normal(0.0, 4.0, 8)
        items.append(searched([[0.0] * 8, differences_K], group=number // 10, jobs=jobs.tolist()))
    _, labels = denoise(items, 0, 1, 5)
    truth_S = np.array(truth_S)
    raw_S = np.array([item.values.mean_C[1] for item in items])
    mended_S = labels.costs_SC[:, 1] - labels.costs_SC[:, 0]
    errors_S = labels.errors_SC.max(axis=1)

    def rms(values):
        return np.sqrt(np.mean(values**2))

    regression, left = denoise(items, 0, 1, 5, mend=False)
    np.testing.assert_allclose(left.costs_SC[:, 1] - left.costs_SC[:, 0], raw_S)
    assert regression.spread is None
    assert rms(mended_S - truth_S) < 0.6 * rms(raw_S - truth_S)
    assert 0.5 < rms((mended_S - truth_S) / errors_S) < 1.5


def test_differences_of_two_among_many_know_how_near_they_are():
    """Independent noise of equal size: a difference has twice the variance of one cost."""
    random = np.random.default_rng(0)
    noise_SCK = random.normal(0.0, 1.0, (2000, 10, 8))
    items = [searched(noise_CK, choices=tuple("ABCDEFGHIJ"), group=n) for n, noise_CK in enumerate(noise_SCK)]
    costs_SC, variances_SC = centred(items, tuple("ABCDEFGHIJ"))
    labels = combine(tuple("ABCDEFGHIJ"), costs_SC, variances_SC, np.zeros_like(costs_SC), None)
    said = np.median(labels.errors_SC[labels.errors_SC > 0])
    assert said == pytest.approx(
        np.std(noise_SCK[:, 0].mean(axis=1) - noise_SCK[:, 1].mean(axis=1)), rel=0.05
    )


def test_one_future_of_each_state_is_mended_too():
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
    _, labels = denoise(items, 0, 1, 5)
    mended_S = labels.costs_SC[:, 1] - labels.costs_SC[:, 0]
    raw_S = np.array([item.values.mean_C[1] for item in items])
    error, raw_error = (np.sqrt(np.mean((found - truth_S) ** 2)) for found in (mended_S, raw_S))
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

    def fitted(moderate: bool) -> np.ndarray:
        regression, _ = denoise(items, 0, 1, 5, moderate=moderate)
        costs_SC = regression.network.costs(states)
        return costs_SC[:, 1] - costs_SC[:, 0]

    assert (fitted(moderate=True) > 0).mean() > 0.9
    assert (fitted(moderate=False) < 0).mean() > 0.9


def test_a_variance_is_drawn_to_what_is_usual_in_such_states():
    own_SC, usual_SC = np.array([[0.0, 2.0]]), np.log([[1.0, 1.0]])
    np.testing.assert_allclose(steadied(own_SC, usual_SC, 11), [[0.5, 1.5]])
    np.testing.assert_allclose(steadied(own_SC, usual_SC, 10_001), own_SC, atol=2e-3)


def test_without_moderation_a_small_variance_is_drawn_to_the_typical_one():
    own_SC = np.array([[0.0, 2.0, 6.0, np.nan]])
    np.testing.assert_allclose(steadied(own_SC, None, 11), [[1.0, 2.0, 6.0, np.nan]])
    np.testing.assert_array_equal(steadied(own_SC, None, 1), own_SC)


def test_the_usual_variance_is_that_of_the_futures():
    random = np.random.default_rng(0)
    items = []
    for number in range(800):
        jobs = random.integers(0, 12, 2)
        differences_K = random.normal(0.0, 1.0 + jobs[0], 6)
        items.append(searched([[0.0] * 6, differences_K], group=number, jobs=jobs.tolist()))
    noise = denoise(items, 0, 1, 5)[0].noise
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
            found[decays] = denoise(items, 0, 1, 5)[0].network
    states = [item.situation.state for item in items]
    np.testing.assert_array_equal(found[DECAYS].costs(states), found[decay,].costs(states))


def test_choices_that_are_not_legal_stay_out_of_the_labels():
    costs_SC = np.array([[1.0, -1.0, np.nan]])
    mended = combine(("A", "B", "C"), costs_SC, np.abs(costs_SC), np.array([[1.0, -1.0, -9.0]]), (1.0, 0.0))
    np.testing.assert_allclose(mended.costs_SC, [[2.0, 0.0, np.nan]])


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
    regression, labels = denoise(items, 0, 1, 3)
    spread = regression.spread
    assert set(regression.network.labels) == set(labels.names) == {"A", "B", "C"}
    assert (np.isfinite(labels.costs_SC).sum(axis=1) == 2).all()
    assert spread is not None and min(spread) >= 0


def test_one_surviving_episode_is_enough():
    random = np.random.default_rng(0)
    items = [searched([[0.0] * 4, random.normal(2.0, 1.0, 4)], jobs=(n, 1)) for n in range(12)]
    regression, labels = denoise(items, 0, 1, 5)
    assert np.isfinite(regression.network.costs([{"jobs": [1, 1]}])).all()
    assert np.isfinite(labels.costs_SC).all()


def test_a_teacher_labels_states_it_has_not_seen(small, improved):
    items = search(small.task, tiny(small), (0, VALIDATION), 0, 4, improved.policy, map, [], silent)
    labels = improved.label(items)
    assert isinstance(labels, Labels)
    assert labels.costs_SC.shape == (12, 2)
    assert (labels.costs_SC.min(axis=1) == 0).all()
    assert (labels.errors_SC[labels.costs_SC > 0] > 0).all()
