"""Exact evaluation and policy iteration on chains whose answers are known."""

import numpy as np
import pytest
from scipy import sparse

from simdistill.errors import InputError
from simdistill.mdp import (
    MarkovProcess,
    choice_values,
    evaluate,
    fitting_size,
    optimum,
    tabulate,
    uniform_policy,
)
from simdistill.simulators.queueing import Queueing, join_shortest_queue, shortest_expected_delay


@pytest.fixture(scope="module")
def routing():
    return Queueing.markov({}, 60)


@pytest.fixture
def switch():
    """Two states; a decision at rate 3 says where to go, state 1 is left at rate 2; costs 1 and 5."""
    return MarkovProcess(
        states=[{"at": 0}, {"at": 1}],
        labels=["first", "second"],
        cost_S=np.array([1.0, 5.0]),
        passive_SS=sparse.csr_matrix(np.array([[0.0, 0.0], [2.0, 9.0]])),  # the diagonal is ignored
        decision_rate=3.0,
        next_SC=np.array([[0, 1], [0, 1]]),
        boundary_S=np.array([False, True]),
    )


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


def test_the_optimum_cannot_be_improved(routing):
    start = tabulate(routing, join_shortest_queue)
    policy, best = optimum(routing, start)
    assert best.cost == pytest.approx(4.624576, abs=2e-4)
    values = choice_values(routing, best)
    assert (values >= 0).all()
    assert (values.min(axis=1) == 0).all()
    assert best.stationary_S @ (policy * values).sum(axis=1) < 1e-6
    assert (policy.sum(axis=1) == 1).all()
    again, same = optimum(routing, tabulate(routing, shortest_expected_delay))
    assert same.cost == pytest.approx(best.cost, abs=1e-6)
    agreement = (policy == again).all(axis=1)
    assert best.stationary_S @ agreement > 0.9999


@pytest.mark.parametrize(
    ("base", "costs"),
    [
        (shortest_expected_delay, [5.029, 4.758, 4.631, 4.624]),
        (join_shortest_queue, [5.413, 4.787, 4.706, 4.633]),
    ],
)
def test_steps_of_policy_improvement(routing, base, costs):
    table = tabulate(routing, base)
    for cost in costs:
        evaluation = evaluate(routing, table)
        assert evaluation.cost == pytest.approx(cost, abs=1.5e-3)
        table = np.eye(2)[choice_values(routing, evaluation).argmin(axis=1)]


def test_a_value_is_what_one_other_choice_costs(routing):
    table = tabulate(routing, shortest_expected_delay)
    evaluation = evaluate(routing, table)
    state = next(s for s, seen in enumerate(routing.states) if seen["jobs"] == [3, 1])
    other = int(table[state].argmin())
    changed = table.copy()
    changed[state] = np.eye(2)[other]
    after = evaluate(routing, changed)
    bias = evaluation.bias_S[routing.next_SC[state]]
    # Performance difference: decisions per unit of time spent in the state times the difference of values.
    expected = routing.decision_rate * after.stationary_S[state] * (bias[other] - bias[1 - other])
    assert after.cost - evaluation.cost == pytest.approx(expected, rel=1e-6)


def test_tables(switch):
    np.testing.assert_array_equal(uniform_policy(switch), np.full((2, 2), 0.5))
    table = tabulate(switch, lambda state, choices: str(choices[state["at"]]))
    np.testing.assert_array_equal(table, np.eye(2))
    with pytest.raises(KeyError):
        tabulate(switch, lambda state, choices: "third")


def test_a_truncation_grows_until_it_is_not_felt():
    sizes = []

    def build(size):
        sizes.append(size)
        return Queueing.markov({"arrival_rate": 0.8, "service_rates": (1.0,)}, size)

    fit = fitting_size(build, uniform_policy, negligible=1e-7, sizes=(20, 40, 80, 160))
    assert fit is not None
    assert sizes == [20, 40, 80]  # 0.2 * 0.8 ** 80 is the first below 1e-7
    assert fit[1].boundary <= 1e-7
    assert len(fit[0].states) == 81


def test_growing_queues_have_no_truncation():
    # Half of the arrivals, one a minute, go to the server that does half a job a minute.
    assert fitting_size(lambda size: Queueing.markov({}, size), uniform_policy, sizes=(20, 40)) is None
    with pytest.raises(InputError):
        fitting_size(lambda size: Queueing.markov({}, size), uniform_policy, sizes=())
