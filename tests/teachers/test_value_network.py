"""Fitted policies: what they learn, remember and carry to other processes."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from simdistill.simulation import Streams
from simdistill.simulation.policies import RandomPolicy, deciding, with_streams
from simdistill.teachers.value_network import FittedPolicy, features, fit, precision


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def lessons(count=600, noise=0.5, seed=0):
    """Two queues; the longer one costs more by the difference in lengths."""
    random = np.random.default_rng(seed)
    jobs_SN = random.integers(0, 12, size=(count, 2))
    costs_SC = (jobs_SN - jobs_SN.mean(axis=1, keepdims=True)).astype(float)
    noisy_SC = costs_SC + random.normal(0.0, noise, size=(count, 1)) * [1.0, -1.0]
    return [{"jobs": jobs} for jobs in jobs_SN.tolist()], noisy_SC, np.full((count, 2), noise**2)


def learn(states, costs_SC, variances_SC, seed=0, count=1, steps=150) -> FittedPolicy:
    train_MS = np.ones((count, len(states)), dtype=bool)
    return fit(states, ("A", "B"), costs_SC, precision(costs_SC, variances_SC), train_MS, seed, steps=steps)


@pytest.fixture(scope="module")
def policy() -> FittedPolicy:
    return learn(*lessons())


def test_features_are_finite_and_tell_rates_from_queues():
    found = features(np.array([[0.0, 2.0], [1000.0, -3.0]]))
    assert found.shape == (2, 6)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[0], [0.0, 2.0, 0.0, np.log(3.0), 4.0, 1.0 / 2.25])
    assert found[1, 3] == -np.log(4.0)


def test_a_fit_sees_through_noise(policy):
    states, costs_SC, _ = lessons(noise=0.0, seed=1)
    clear = np.abs(costs_SC[:, 0] - costs_SC[:, 1]) >= 2
    right = [
        policy(state, ["A", "B"]) == "AB"[costs.argmin()]
        for state, costs in zip(states, costs_SC, strict=True)
    ]
    assert np.mean(np.array(right)[clear]) > 0.98
    fitted_SC = policy.costs(states)
    assert np.sqrt(np.mean((fitted_SC - costs_SC) ** 2)) < 0.6
    assert np.corrcoef(fitted_SC[:, 0], costs_SC[:, 0])[0, 1] > 0.97


def test_noisy_states_weigh_little():
    states, costs_SC, variances_SC = lessons(noise=0.1)
    wrong = np.arange(len(states)) % 5 < 2
    costs_SC[wrong] *= -1.0
    variances_SC[wrong] = 400.0
    policy = learn(states, costs_SC, variances_SC)
    # Equal weights would find a fifth of the difference, which is 8.
    at_a, at_b = policy.costs([{"jobs": [9, 1]}])[0]
    assert 6.0 < at_a - at_b < 10.0


def test_each_network_learns_from_its_own_states():
    states, costs_SC, variances_SC = lessons(noise=0.1)
    half = np.arange(len(states)) % 2 == 0
    costs_SC[half] *= -1.0
    weights_SC = precision(costs_SC, variances_SC)
    two = fit(states, ("A", "B"), costs_SC, weights_SC, np.stack([half, ~half]), 0, steps=150)
    reversed_C, right_C = two.costs_of_each([{"jobs": [9, 1]}])[:, 0]
    assert reversed_C[0] < reversed_C[1]
    assert right_C[0] > right_C[1]


def test_illegal_choices_are_left_out():
    states, costs_SC, variances_SC = lessons()
    states, costs_SC, variances_SC = states[:200], costs_SC[:200], variances_SC[:200]
    costs_SC, variances_SC = (
        np.c_[array, np.full(len(states), np.nan)] for array in (costs_SC, variances_SC)
    )
    legal = np.arange(len(states)) % 4 == 0
    costs_SC[legal, 2] = variances_SC[legal, 2] = 1.0
    weights_SC = precision(costs_SC, variances_SC)
    every = np.ones((1, len(states)), dtype=bool)
    policy = fit(states, ("A", "B", "C"), costs_SC, weights_SC, every, 0, steps=100)
    assert np.isfinite(policy.costs(states)).all()
    assert policy({"jobs": [9, 1]}, ["A", "B"]) == "B"
    assert policy({"jobs": [9, 1]}, ["A"]) == "A"


def test_a_choice_that_was_never_searched_comes_last(policy):
    assert policy({"jobs": [9, 1]}, ["Z", "A"]) == "A"
    assert policy({"jobs": [9, 1]}, ["Z"]) == "Z"


def test_a_state_is_worked_out_once(policy, monkeypatch):
    asked = []
    original = FittedPolicy.costs
    monkeypatch.setattr(
        FittedPolicy, "costs", lambda self, states: asked.append(states) or original(self, states)
    )
    state = {"jobs": [77, 3]}
    assert [policy(state, ["A", "B"]) for _ in range(5)] == ["B"] * 5
    assert len(asked) == 1
    assert policy(state, ["A"]) == "A"  # the choices are part of what is remembered


def test_a_policy_travels_without_its_memory(policy):
    state = {"jobs": [5, 9]}
    policy(state, ["A", "B"])
    again = pickle.loads(pickle.dumps(policy))
    assert again._remembered == {}
    np.testing.assert_array_equal(again.costs([state]), policy.costs([state]))
    assert again(state, ["A", "B"]) == policy(state, ["A", "B"])


def test_a_seed_decides_the_fit():
    states, costs_SC, variances_SC = lessons(100)
    first, same, other = (
        learn(states, costs_SC, variances_SC, seed, steps=20).costs(states) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def last(state: dict, choices) -> str:
    return choices[-1]


def test_states_of_another_form_are_left_to_another_policy(policy):
    """A lead time that training never showed makes the list of orders under way longer."""
    policy = replace(policy, fallback=last)
    known, other = [{"jobs": [0, 9]}, {"jobs": [9, 0]}], [{"jobs": [0, 9, 1]}, {"jobs": [9, 0, 1]}]
    assert [policy(state, ("A", "B")) for state in [*known, *other]] == ["A", "B", "B", "B"]
    assert policy.many([*known, *other], [("A", "B")] * 4) == ["A", "B", "B", "B"]
    assert policy.many(known, [("A", "B"), ("A",)]) == ["A", "A"]
    assert policy.many([], []) == []


def test_a_random_policy_for_other_states_draws_the_runs_own_numbers(policy):
    policy = replace(policy, fallback=RandomPolicy(Streams((0,))))
    other = [{"jobs": [0, 9, 1]}] * 40
    runs = []
    for seed in (1, 1, 2):
        begun = with_streams(policy, Streams((seed,)))
        runs.append([begun(state, ("A", "B")) for state in other])
    assert runs[0] == runs[1] != runs[2] and set(runs[0]) == {"A", "B"}
    assert isinstance(deciding(policy, other), RandomPolicy)
    assert deciding(policy, [*other, {"jobs": [0, 9]}]) is policy
