"""Policies as tables."""

import numpy as np
import pytest

from simdistill.mdp import tabulate, uniform_policy


def test_the_uniform_policy_takes_every_choice_equally_often(switch):
    np.testing.assert_array_equal(uniform_policy(switch), np.full((2, 2), 0.5))


def test_a_table_has_a_policys_choice_in_every_state(switch):
    table_SC = tabulate(switch, lambda state, choices: str(choices[state["at"]]))
    np.testing.assert_array_equal(table_SC, np.eye(2))


def test_a_policy_may_only_take_known_choices(switch):
    with pytest.raises(KeyError):
        tabulate(switch, lambda state, choices: "third")
