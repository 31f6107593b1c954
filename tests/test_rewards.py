"""Rewards: what the simulator says about an answer, looked up."""

import pytest

from simdistill.rewards import answer, consistency, validity

CHOICES = [["A", "B"], ["0", "1", "10"]]
VALUES = [[0.0, 3.0], [4.0, 0.0, 2.0]]


def test_an_answer_costs_what_its_choice_costs():
    assert consistency(["A", "10"], CHOICES, VALUES) == [0.0, -2.0]
    assert consistency(["B\n", " 0 "], CHOICES, VALUES, scale=[2.0, 4.0]) == [-1.5, -1.0]


def test_what_is_no_choice_is_worse_than_the_worst():
    assert consistency(["C", ""], CHOICES, VALUES, scale=[2.0, 2.0], state=["{}", "{}"]) == [-2.5, -3.0]
    assert validity(["C", "10"], CHOICES) == [0.0, 1.0]


def test_conversations_and_reasoning_end_with_the_answer():
    said = [{"role": "assistant", "content": "The fast server has room.\nAnswer: A"}]
    assert answer(said) == "A"
    assert consistency([said], CHOICES[:1], VALUES[:1]) == [0.0]


def test_columns_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="zip"):
        consistency(["A"], CHOICES, VALUES)
