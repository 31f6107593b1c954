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
from simdistill.simulators.queueing import Queueing, join_shortest_queue, shortest_expected_delay
from simdistill.teachers import search as module
from simdistill.teachers.acceptance_test import compare
from simdistill.teachers.cost_to_go import (
    Labels,
    combine_with_fit,
)
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
        regression, labels = combine_with_fit(*arguments)
        network = regression.network
        weights, biases = network.layers[-1]
        reversed_network = replace(network, layers=[*network.layers[:-1], (-weights, -biases)])
        return replace(regression, network=reversed_network), labels

    monkeypatch.setattr(module, "combine_with_fit", perverse)
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
    assert progress == [(n, 6) for n in range(7)]


def test_a_search_whose_episodes_all_fail(small):
    task = small.task.model_copy(update={"simulator": f"{__name__}:Broken"})
    failures: list[Failure] = []
    with pytest.raises(ProcessError, match=r"every teaching episode failed; .*router down \(episode 0"):
        search(task, tiny(small), (0, TRAIN), 1, 2, join_shortest_queue, map, failures, silent)
    assert len(failures) == 2


# Labels.


def test_a_teacher_labels_states_it_has_not_seen(small, improved):
    items = search(small.task, tiny(small), (0, VALIDATION), 0, 4, improved.policy, map, [], silent)
    labels = improved.label(items)
    assert isinstance(labels, Labels)
    assert labels.costs_SC.shape == (12, 2)
    assert (labels.costs_SC.min(axis=1) == 0).all()
    assert (labels.errors_SC[labels.costs_SC > 0] > 0).all()
