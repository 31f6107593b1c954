"""Policies as tables."""

import numpy as np
import pytest

from simdistill.mdp import legal, tabulate, uniform_policy
from simdistill.simulation.policies import RandomPolicy
from simdistill.simulation.streams import Streams
from simdistill.simulators.queueing import Queueing, Split


def test_the_uniform_policy_takes_every_choice_equally_often(switch):
    np.testing.assert_array_equal(uniform_policy(switch), np.full((2, 2), 0.5))


def test_a_table_has_a_policys_choice_in_every_state(switch):
    table_SC = tabulate(switch, lambda state, choices: str(choices[state["at"]]))
    np.testing.assert_array_equal(table_SC, np.eye(2))


def test_a_policy_may_only_take_known_choices(switch):
    with pytest.raises(KeyError):
        tabulate(switch, lambda state, choices: "third")


def test_a_policy_that_draws_is_a_table_of_its_probabilities():
    finite = Queueing.markov({"arrival_rate": 2.0, "service_rates": (2.0, 0.5), "capacity": 3}, 40)
    legal_SC = legal(finite)
    assert not legal_SC.all()
    np.testing.assert_array_equal(tabulate(finite, RandomPolicy(Streams((0,)))), uniform_policy(finite))
    split_SC = tabulate(finite, Split(lambda state, choices: (0.7, 0.3)))
    np.testing.assert_array_equal(split_SC[legal_SC.all(axis=1)], [[0.7, 0.3]] * 9)
    assert (split_SC > 0).tolist() == legal_SC.tolist()
