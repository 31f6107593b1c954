"""Forms of states, and their encoding as features."""

import enum
import json
from typing import Any, Literal, NotRequired, TypedDict

import numpy as np
import pydantic
import pytest

from simdistill.errors import InputError
from simdistill.simulation.forms import Encoding, Words
from simdistill.simulation.forms.form import Fields
from simdistill.simulation.states import fresh, key, numbers

RED, BLUE = {"kind": "red", "n": 1}, {"kind": "blue", "n": 1}


class Urgency(enum.Enum):
    LOW, HIGH = "low", "high"


class Patient(pydantic.BaseModel):
    urgency: Urgency
    wait: float


class Ward(pydantic.BaseModel):
    kind: Literal["red", "blue", "green"]
    due: float | None
    queue: list[Patient]
    beds: tuple[int, int]
    note: Words = ""


WARD = {"kind": "blue", "due": 4.0, "beds": [1, 2], "note": "calm", "queue": []}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (RED, BLUE),
        ({"due": None}, {"due": 0}),
        ({"due": None, "n": 1}, {"due": 1, "n": None}),
        ({"a": [1], "b": [2, 3]}, {"a": [1, 2], "b": [3]}),
        ({"a": 1}, {"b": 1}),
        ({"n": "1"}, {"n": 1}),
        ({"queue": [{"kind": "red"}, {}]}, {"queue": [{}, {"kind": "red"}]}),
        ({"a": [[], [1]]}, {"a": [[1], []]}),
        ({"a": {"x": 1}}, {"a": [1]}),
    ],
)
def test_states_that_differ_have_different_keys(one, other):
    assert key(one) != key(other)
    assert key(one) == key(json.loads(json.dumps(one)))
    assert key(one, ("A",)) != key(one, ("B",))


def test_states_of_numbers_are_their_numbers():
    states = [{"a": [1, 2.5], "b": {"c": True, "d": n}} for n in range(4)]
    encoding = Encoding.of(states)
    assert encoding.plain
    np.testing.assert_array_equal(encoding.matrix(states), [numbers(state) for state in states])
    assert encoding.axes() == ["a at 1", "a at 2", "b c", "b d"]


def test_a_category_has_a_feature_for_each_value_and_one_for_others():
    encoding = Encoding.of([RED, BLUE])
    assert encoding.row(BLUE) == [1, 0, 0, 1]
    assert encoding.row(RED) == [0, 1, 0, 1]
    assert encoding.row({"kind": "green", "n": 2}) == [0, 0, 1, 2]
    assert [column.name for column in encoding.columns] == [
        "kind is blue",
        "kind is red",
        "kind is others",
        "n",
    ]


def test_a_category_is_one_coordinate_of_a_map():
    encoding = Encoding.of([RED, BLUE])
    assert encoding.coordinates([RED, BLUE]).tolist() == [[1, 1], [0, 1]]
    assert encoding.axes() == ["kind (0 blue, 1 red)", "n"]


def test_a_missing_value_is_no_zero():
    encoding = Encoding.of([{"due": None}, {"due": 3.0}])
    assert encoding.row({"due": None}) == [0, 0]
    assert encoding.row({"due": 0.0}) == [1, 0]
    assert Encoding.of([{"kind": None}, {"kind": "red"}]).row({"kind": None}) == [0, 1, 0]
    assert Encoding.of([{"n": 1}, {"n": 1, "m": 2}]).row({"n": 5}) == [5, 0, 0]


def test_a_list_of_varying_length_has_fixed_features():
    queues = [[], [{"kind": "red", "wait": 2.0}], [{"kind": "blue", "wait": n} for n in range(6)]]
    states = [{"queue": queue} for queue in queues]
    encoding = Encoding.of(states)
    rows = encoding.matrix(states)
    # Length; sum, least and greatest of (is blue, is red, is others, wait); four places of (given, ...).
    assert rows.shape == (3, 1 + 3 * 4 + 4 * 5)
    assert not rows[0].any()
    assert rows[1, :9].tolist() == [1, 0, 1, 0, 2, 0, 1, 0, 2]
    assert rows[2, [0, 1, 4, 12]].tolist() == [6, 6, 15, 5]
    assert rows[2, 13:23].tolist() == [1, 1, 0, 0, 0, 1, 1, 0, 0, 1]


def test_what_is_declared_needs_no_states():
    encoding = Encoding.of([], Ward)
    row = encoding.row({**WARD, "queue": [{"urgency": "high", "wait": 7}]})
    assert row[:5] == [0, 1, 0, 1, 4]
    assert row[5:12] == [1, 0, 1, 7, 0, 1, 7]
    assert row[-2:] == [1, 2]
    without = {name: value for name, value in WARD.items() if name != "note"}
    assert encoding.row(without)[-3:-1] == encoding.row(WARD)[-3:-1]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kind": "pink"}, r"state's kind = 'pink' can't be encoded: expected one of 'red', 'blue', 'green'"),
        ({"queue": [{"urgency": "mid", "wait": 1}]}, r"queue\[0\].urgency = 'mid' can't be encoded"),
        ({"due": "soon"}, "due = 'soon' can't be encoded: a number is expected"),
        ({"beds": [1]}, r"beds = \[1\] can't be encoded: it has 1 entries and had 2"),
        ({"more": 1}, "more = 1 can't be encoded: only kind, due, queue, beds, note are known"),
        ({"kind": None}, "kind = None can't be encoded"),
    ],
)
def test_what_is_not_as_declared_is_named(change, told):
    with pytest.raises(InputError, match=told):
        Encoding.of([], Ward).row({**WARD, **change})


def test_a_field_of_two_types_is_named_with_both_values():
    with pytest.raises(InputError, match=r"kind = 'red' can't be encoded: elsewhere it is 2"):
        Encoding.of([{"kind": 2}, RED])


def test_some_fields_can_be_declared_and_the_rest_collected():
    class Some(TypedDict):
        kind: NotRequired[Literal["red", "blue"]]
        rest: Any

    encoding = Encoding.of([{"rest": 1, "n": 1, "kind": "red"}], Some)
    assert encoding.row({"rest": 2, "n": 3}) == [2, 3, 0, 0, 1]


def test_names_are_no_category():
    states = [{"name": f"patient {n}", "n": n} for n in range(60)]
    assert Encoding.of(states).unreadable() == ["name"]
    pooled = Encoding.of([*states, *states[:2]], pool=True)
    assert [column.value for column in pooled.columns[:3]] == ["patient 0", "patient 1", "others"]


def test_forms_are_kept_as_json():
    form = Encoding.of([], Ward).form
    again = Fields.model_validate(json.loads(form.model_dump_json()))
    assert again == form and Encoding(again).row(WARD) == Encoding(form).row(WARD)


def test_a_fresh_state_shares_nothing():
    state = {"a": [1, {"b": [2]}], "c": ([3],)}
    copy = fresh(state)
    state["a"][1]["b"].append(0)
    state["c"][0].append(0)
    assert copy == {"a": [1, {"b": [2]}], "c": ([3],)}
