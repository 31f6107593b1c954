"""The optimum, steps of policy improvement, and values of choices."""

import numpy as np
import pytest

from simdistill.mdp import choice_values, evaluate, optimum, tabulate
from simdistill.simulators.queueing import join_shortest_queue, shortest_expected_delay


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
