"""Exact evaluation of chains whose answers are known."""

import numpy as np
import pytest

from simdistill.mdp import evaluate
from simdistill.simulators.queueing import Queueing


def test_a_chain_of_two_states_by_hand(switch):
    table = np.array([[0.5, 0.5], [1.0, 0.0]])
    evaluation = evaluate(switch, table)
    # Up at 1.5, down at 2 + 3.
    np.testing.assert_allclose(evaluation.stationary_S, [5.0 / 6.5, 1.5 / 6.5])
    assert evaluation.cost == pytest.approx((5.0 + 5.0 * 1.5) / 6.5)
    assert evaluation.boundary == pytest.approx(1.5 / 6.5)
    # Poisson's equation: cost - average + generator @ bias = 0.
    poisson = switch.cost_S - evaluation.cost + switch.generator(table) @ evaluation.bias_S
    np.testing.assert_allclose(poisson, 0.0, atol=1e-12)


def test_a_random_table_is_checked_against_dense_algebra(routing):
    process = Queueing.markov({}, 6)
    random = np.random.default_rng(3).random(process.next_SC.shape)
    table = random / random.sum(axis=1, keepdims=True)
    generator = process.generator(table).toarray()
    np.testing.assert_allclose(generator.sum(axis=1), 0.0, atol=1e-12)
    assert (generator - np.diag(np.diag(generator)) >= 0).all()
    equations = np.vstack([generator.T, np.ones(len(generator))])
    stationary = np.linalg.lstsq(equations, np.r_[np.zeros(len(generator)), 1.0], rcond=None)[0]
    evaluation = evaluate(process, table)
    np.testing.assert_allclose(evaluation.stationary_S, stationary, atol=1e-10)
    assert evaluation.cost == pytest.approx(stationary @ process.cost_S)
    np.testing.assert_allclose(
        process.cost_S - evaluation.cost + generator @ evaluation.bias_S, 0.0, atol=1e-9
    )
