"""The numbers of a state, their names and keys."""

import numpy as np
import pytest

from simdistill import registry
from simdistill.simulation.states import entries, key, matrix, names, numbers

NESTED = {"b": 1, "a": [2, [3.5, {"z": 4}]], "name": "x", "c": {"y": 5, "x": True}}


def test_numbers_come_in_the_order_of_the_state():
    assert numbers(NESTED) == [1.0, 2.0, 3.5, 4.0, 5.0, 1.0]
    assert numbers({}) == []


def test_every_number_has_a_name_of_its_own():
    assert names(NESTED) == ["b", "a at 1", "a at 2 at 1", "a at 2 at 2 z", "c y", "c x"]


def test_choices_name_the_entries_of_lists_that_are_as_long():
    state = {"jobs": [2, 0], "ages": [1.0, 2.0, 3.0]}
    assert names(state, ["A", "B"]) == ["jobs at A", "jobs at B", "ages at 1", "ages at 2", "ages at 3"]
    assert entries([2, 0], ["A", "B", "C"]) == ["1", "2"]


@pytest.mark.parametrize("name", registry.names("simulators"))
def test_names_and_numbers_of_a_simulators_states_go_together(name):
    model = registry.load("simulators", name)()
    decision = model.advance()
    state = model.state(decision)
    assert (
        len(names(state, decision.labels)) == len(numbers(state)) == len(set(names(state, decision.labels)))
    )


def test_decisions_with_the_same_numbers_and_choices_have_the_same_key():
    assert key({"jobs": [1, 2]}, ("A", "B")) == key({"jobs": (1.0, 2)}, ["A", "B"])
    assert key({"jobs": [1, 2]}, ("A", "B")) != key({"jobs": [1, 2]}, ("A",))
    assert hash(key(NESTED)) == hash(key(NESTED))


def test_states_of_one_form_make_a_matrix():
    np.testing.assert_array_equal(
        matrix([{"a": [1, 2], "b": 3}, {"a": [4, 5], "b": 6}]), [[1, 2, 3], [4, 5, 6]]
    )
