"""What a live state is held against: the states that training showed."""

import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from simdistill.serving.states import shape

STATES = [
    {"rate": 1.5, "jobs": [0, 3], "mode": "day", "open": True, "waits": [1.0, 2.5]},
    {"rate": 2.0, "jobs": [7, 1], "mode": "night", "open": False, "waits": []},
]
SHAPE = shape(STATES)


def read(state):
    wrong: list[str] = []
    return SHAPE.read(state, "", wrong), wrong


def test_training_states_are_right_and_inside():
    for state in STATES:
        assert read(state) == (state, [])
        assert list(SHAPE.outside(state)) == []


def test_a_whole_number_is_written_as_training_wrote_it():
    state, wrong = read(STATES[0] | {"rate": 2})
    assert not wrong and repr(state["rate"]) == "2.0"


def test_fields_come_in_the_order_of_training():
    state, _ = read(dict(reversed(STATES[0].items())))
    assert list(state) == list(STATES[0])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"rate": "2"}, "rate = '2': must be a number"),
        ({"rate": True}, "rate = true: must be a number"),
        ({"rate": math.nan}, "rate = nan: must be a finite number"),
        ({"rate": 10**400}, "must be a finite number"),
        ({"rate": None}, "rate = null: must be a number"),
        ({"jobs": [1, 2.5]}, "jobs[1] = 2.5: must be a whole number"),
        ({"jobs": [1]}, "jobs = [1]: must have 2 entries, not 1"),
        ({"jobs": 3}, "jobs = 3: must be a list"),
        ({"queue": 1}, "queue = 1: unknown; known: rate, jobs, mode, open, waits"),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_value(change, told):
    _, (line,) = read(STATES[0] | change)
    assert told in line


def test_a_missing_field_is_told():
    _, wrong = read({name: value for name, value in STATES[0].items() if name != "jobs"})
    assert wrong == ["jobs: missing; must be a list"]


def test_what_training_never_showed_is_flagged_and_not_refused():
    state, wrong = read({"rate": 3, "jobs": [250, 0], "mode": "dusk", "open": True, "waits": [0.5, 1.0, 1.0]})
    assert not wrong
    assert list(SHAPE.outside(state)) == [
        "rate = 3, training had 1.5 to 2",
        "jobs[0] = 250, training had 0 to 7",
        "jobs[1] = 0, training had 1 to 3",
        "mode = 'dusk', training had day, night",
        "waits has 3 entries, training had 0 to 2",
        "waits[0] = 0.5, training had 1 to 2.5",
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), JSON, max_size=3)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(OBJECTS, min_size=1, max_size=4))
def test_every_set_of_states_has_a_schema_that_takes_them(states):
    found = shape(states)
    schema = json.loads(json.dumps(found.schema()))
    Draft202012Validator.check_schema(schema)
    for state in states:
        wrong: list[str] = []
        value = found.read(state, "", wrong)
        assert not wrong and value == state and not list(found.outside(value))
        Draft202012Validator(schema).validate(state)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(OBJECTS, min_size=1, max_size=4), OBJECTS)
def test_what_is_refused_is_refused_by_the_schema_too(states, live):
    found, wrong = shape(states), []
    found.read(live, "", wrong)
    assert Draft202012Validator(found.schema()).is_valid(live) == (not wrong)
