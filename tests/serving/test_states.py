"""Live states are checked against the states that training showed."""

import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from simdistill.serving.schema import schema_of
from simdistill.serving.states import StateChecker

STATES = [
    {"rate": 1.5, "jobs": [0, 3], "mode": "day", "open": True, "waits": [1.0, 2.5]},
    {"rate": 2.0, "jobs": [7, 1], "mode": "night", "open": False, "waits": []},
]
CHECKER = StateChecker(schema_of(STATES))


def test_training_states_are_right_and_inside():
    for state in STATES:
        assert CHECKER.read(state) == (state, [])
        assert CHECKER.outside(state) == []


def test_a_whole_number_is_written_as_training_wrote_it():
    state, wrong = CHECKER.read(STATES[0] | {"rate": 2})
    assert not wrong and repr(state["rate"]) == "2.0"


def test_fields_come_in_the_order_of_training():
    state, _ = CHECKER.read(dict(reversed(STATES[0].items())))
    assert list(state) == list(STATES[0])


@pytest.mark.parametrize(
    ("change", "message"),
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
def test_an_error_has_the_place_and_the_value(change, message):
    _, (line,) = CHECKER.read(STATES[0] | change)
    assert message in line


def test_an_error_names_a_missing_field():
    _, wrong = CHECKER.read({name: value for name, value in STATES[0].items() if name != "jobs"})
    assert wrong == ["jobs: missing; must be a list"]


def test_what_training_never_showed_is_flagged_and_not_refused():
    state, wrong = CHECKER.read(
        {"rate": 3, "jobs": [250, 0], "mode": "dusk", "open": True, "waits": [0.5, 1.0, 1.0]}
    )
    assert not wrong
    assert CHECKER.outside(state) == [
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
    schema = json.loads(json.dumps(schema_of(states)))
    checker = StateChecker(schema)
    Draft202012Validator.check_schema(schema)
    for state in states:
        value, wrong = checker.read(state)
        assert not wrong and value == state and not checker.outside(value)
        Draft202012Validator(schema).validate(state)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(OBJECTS, min_size=1, max_size=4), OBJECTS)
def test_what_is_refused_is_refused_by_the_schema_too(states, live):
    schema = schema_of(states)
    _, wrong = StateChecker(schema).read(live)
    assert Draft202012Validator(schema).is_valid(live) == (not wrong)


def test_a_place_that_was_sometimes_null_may_be_null():
    checker = StateChecker(schema_of([{"due": None}, {"due": 2.0}]))
    assert checker.schema["properties"]["due"]["type"] == ["number", "null"]
    assert checker.read({"due": None}) == ({"due": None}, [])
    assert checker.read({"due": "soon"})[1] == ["due = 'soon': must be a number"]
    assert checker.outside({"due": None}) == [] and not checker.beyond({"due": None}, 10.0)


def test_a_number_far_beyond_training_is_noticed_wherever_it_is():
    state = STATES[0] | {"jobs": [70, 30]}
    assert not CHECKER.beyond(state, 10.0)
    assert CHECKER.beyond(STATES[0] | {"jobs": [0, 31]}, 10.0)
    assert CHECKER.beyond(STATES[0] | {"waits": [0.0, -26.0]}, 10.0)
