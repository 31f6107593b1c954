"""Batches: which questions come together."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdistill.data.kinds.decision import DecisionQuestion
from simdistill.data.kinds.forecast import ForecastQuestion
from simdistill.data.ordering import WINDOW, apart, balanced, behind, mixed
from simdistill.data.question import Question
from simdistill.simulation.situations import Situation
from simdistill.simulators.queueing import Queueing


def question(number: int, choices: str, answer: str, probabilities: list[float] | None = None) -> Question:
    common: dict[str, Any] = {
        "task": "queueing",
        "simulator": "queueing",
        "split": "train",
        "round": 0,
        "group": number,
        "prompt": [{"role": "user", "content": str(number)}],
        "choices": list(choices),
        "answer": answer,
        "situation": Situation(Queueing.Params(), (number,), (), 0.0, {}, tuple(choices)),
    }
    if probabilities:
        return ForecastQuestion(**common, probabilities=probabilities)
    none = [0.0] * len(choices)
    return DecisionQuestion(
        **common, values=none, standard_errors=none, raw_values=none, raw_standard_errors=none
    )


@pytest.fixture
def drawn() -> list[Question]:
    """400 questions whose answer is A three times in four, in random order."""
    rng = np.random.default_rng(0)
    return [question(number, "AB", "AB"[int(rng.random() < 0.25)]) for number in range(400)]


def counts(questions: list[Question], size: int, answer: str) -> list[int]:
    answers = [q.answer for q in questions]
    return [answers[begin : begin + size].count(answer) for begin in range(0, len(answers), size)]


def test_every_question_is_asked_once(drawn):
    for size in (1, 4, 7, 500):
        assert sorted(q.group for q in balanced(drawn, size)) == list(range(400))
    assert balanced([], 4) == []


def test_batches_have_the_usual_answers(drawn):
    for size in (4, 16):
        usual = size * counts(drawn, 400, "B")[0] / 400
        off_before, off_after = (
            np.subtract(counts(q, size, "B"), usual) for q in (drawn, balanced(drawn, size))
        )
        # The last ones, too: no answer is used up early.
        assert np.abs(off_after).max() < 2 < np.abs(off_before).max()
        assert np.var(off_after) < 0.15 * np.var(off_before)


def test_the_order_is_kept_as_far_as_the_balance_allows(drawn):
    order = [q.group for q in balanced(drawn, 4)]
    assert all(first == min(order[4 * batch :]) for batch, first in enumerate(order[::4]))
    # Equal answers are asked in their order.
    for answer in "AB":
        same = [q.group for q in balanced(drawn, 4) if q.answer == answer]
        assert max(abs(place - number) for place, number in zip(same, sorted(same), strict=True)) == 0


def test_no_question_is_asked_long_before_its_turn():
    late = [question(number, "AB", "A" if number < 2 * WINDOW else "B") for number in range(3 * WINDOW)]
    order = [q.group for q in balanced(late, 4)]
    assert order[:WINDOW] == list(range(WINDOW))


def test_every_batch_has_the_usual_choices_too():
    # A is right wherever it is a choice.
    wide = [question(number, "ABC", "A") for number in range(100)]
    narrow = [question(number, "BC", "BC"[number % 3 == 0]) for number in range(100, 220)]
    order = balanced(mixed(wide, narrow), 20)
    spread = [sum(q.answer == "A" for q in order[begin : begin + 20]) for begin in range(0, 220, 20)]
    assert max(spread) - min(spread) <= 4
    answers = [q.answer for q in order if q.answer != "A"]
    assert {answers[begin : begin + 12].count("C") for begin in range(0, 120, 12)} <= {3, 4, 5}


def test_forecasts_are_balanced_by_their_distributions():
    low, high = [0.9, 0.1], [0.1, 0.9]
    asked = [question(n, "LH", "L", low if n < 8 else high) for n in range(16)]
    order = balanced(asked, 2)
    pairs = zip(order[::2], order[1::2], strict=True)
    assert all({str(a.answer_C), str(b.answer_C)} == {str(low), str(high)} for a, b in pairs)


def test_states_of_one_scenario_are_kept_apart(drawn):
    scenarios = [replace(q, group=q.group // 4) for q in drawn[:16]]
    assert [q.group for q in apart(scenarios)] == [0, 1, 2, 3] * 4


def test_two_lists_are_spread_over_each_other(drawn):
    order = mixed(drawn[:8], drawn[8:12])
    assert len(order) == 12 and [q.group for q in order if q.group < 8] == list(range(8))
    assert all(sum(q.group >= 8 for q in order[begin : begin + 3]) == 1 for begin in range(0, 12, 3))


asked = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(["A", "AB", "BAC"]), st.floats(0.0, 1.0)), max_size=40
)


@given(asked, asked, st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_an_order_is_a_permutation(first, second, size):
    """Every question is asked, and once: in any order, whatever the labels, scenarios and batch."""
    taught = [question(group, choices, choices[0]) for group, choices, _ in first]
    further = [question(group, choices, choices[-1], [1.0] * len(choices)) for group, choices, _ in second]
    number = {id(q): place for place, q in enumerate([*taught, *further])}

    def places(questions: list[Question]) -> list[int]:
        return sorted(number[id(q)] for q in questions)

    own = list(range(len(taught)))
    assert places(apart(taught)) == places(balanced(taught, size)) == own
    everything = list(range(len(number)))
    assert places(mixed(taught, further)) == places(behind(taught, further)) == everything
    assert places(balanced([*taught, *further], size)) == everything
    # Those of one list keep their order.
    assert [number[id(q)] for q in behind(taught, further) if number[id(q)] < len(taught)] == own
    assert [number[id(q)] for q in mixed(taught, further) if number[id(q)] < len(taught)] == own
