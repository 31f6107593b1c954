"""What servers take of a request is found out once, and remembered."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from loopback import SURE, asked, body, client, completion, teacher

from simdistill.models.choice_model import Posed
from simdistill.teachers.language_models.dialect import Dialect


def refusing(field: str, reply: tuple, then: str = completion("B", SURE)) -> Callable:
    """Refuses requests with a field."""
    return lambda number, body: reply if field in body else then


def takes(server: Any, wanted: Callable[[dict], bool], reply: tuple) -> None:
    """Answers requests that a server of some kind takes, and refuses others."""
    server.answer = lambda number, body: completion("B", SURE) if wanted(body) else reply


@pytest.mark.parametrize(
    "reply",
    [
        (400, {}, "unknown field logprobs"),
        (403, {}, '{"error": {"message": "You are not allowed to request logprobs from this model"}}'),
        (500, {}, "logprobs is not supported by this backend"),
        (501, {}, "not implemented"),
        (400, {}, "bad request"),
        (403, {}, "forbidden"),
        (422, {}, '{"detail": [{"loc": ["body", "top_logprobs"], "msg": "extra fields"}]}'),
    ],
    ids=["400", "403", "500", "501", "400 without a reason", "403 without a reason", "422"],
)
def test_a_server_without_log_probabilities_is_asked_without(server, reply):
    server.answer = refusing("logprobs", reply, completion("B"))
    (said,) = teacher(server).answers(asked(1))
    assert (said.choice, said.probabilities_C) == (1, None)


@pytest.mark.parametrize(
    "reply",
    [
        (400, {}, "top_logprobs must be at most 5"),
        (400, {}, "Invalid value for top_logprobs"),
        (422, {}, "top_logprobs: ensure this value is between 0 and 5"),
    ],
)
def test_a_server_that_allows_few_log_probabilities_is_found_out_once(server, reply):
    takes(server, lambda body: body["top_logprobs"] <= 5, reply)
    found = teacher(server).answers(asked(20))
    assert all(said.probabilities_C is not None for said in found)
    assert len(server.bodies) == 1 + 20
    teacher(server).answers(asked(30))
    assert len(server.bodies) == 1 + 30, "another run remembers it"
    assert {body["top_logprobs"] for body in server.bodies[1:]} == {5}


def test_a_limit_that_a_server_states_is_used(server):
    takes(server, lambda body: body["top_logprobs"] <= 10, (400, {}, "top_logprobs must be between 0 and 10"))
    teacher(server).answers(asked(3))
    assert {body["top_logprobs"] for body in server.bodies[1:]} == {10}


@pytest.mark.parametrize(
    ("wanted", "reply"),
    [
        (
            lambda body: "max_completion_tokens" in body and "max_tokens" not in body,
            (400, {}, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."),
        ),
        (
            lambda body: "temperature" not in body,
            (400, {}, "Unsupported value: 'temperature' does not support 0 with this model."),
        ),
        (
            lambda body: [m["role"] for m in body["messages"]] == ["user"],
            (400, {}, "System role not supported"),
        ),
        (
            lambda body: [m["role"] for m in body["messages"]] == ["user"],
            (500, {}, "Conversation roles must alternate user/assistant/user/assistant/..."),
        ),
        (lambda body: "temperature" not in body, (400, {}, "invalid request")),
        (lambda body: [m["role"] for m in body["messages"]] == ["user"], (500, {}, "template error")),
    ],
    ids=["max_tokens", "temperature", "system", "roles", "temperature unsaid", "system unsaid"],
)
def test_what_a_server_does_not_take_is_left_out(server, wanted, reply):
    takes(server, wanted, reply)
    posed = [
        Posed(
            [{"role": "system", "content": "Route jobs."}, {"role": "user", "content": f"Jobs {n}."}],
            ["A", "B"],
        )
        for n in range(12)
    ]
    short = teacher(server)
    short.endpoint = client(server, tries=2)
    assert [said.choice for said in short.answers(posed)] == [1] * 12
    last = server.bodies[-1]
    assert wanted(last) and "Route jobs." in json.dumps(last) and last["logprobs"]
    refused = sum(not wanted(body) for body in server.bodies)
    assert refused <= 6, "only the first question finds it out"


def test_a_model_that_reasons_takes_several_things_at_once_otherwise(server):
    def answer(number, body):
        if "max_tokens" in body:
            return 400, {}, "'max_tokens' is not supported with this model"
        if "temperature" in body:
            return 400, {}, "'temperature' does not support 0.0 with this model"
        if "logprobs" in body:
            return 403, {}, "You are not allowed to request logprobs from this model"
        return completion("A")

    server.answer = answer
    assert [said.choice for said in teacher(server).answers(asked(5))] == [0] * 5
    assert len(server.bodies) == 4 + 5, "no log probabilities, after five were refused"
    kept = client(server)
    kept.complete([body("new")])
    assert kept._dialects["small"] == Dialect(0, "max_completion_tokens", temperature=False)


def test_two_models_of_a_server_have_a_dialect_each(server):
    takes(server, lambda body: body["model"] == "small" or "logprobs" not in body, (400, {}, "logprobs"))
    found = client(server)
    found.complete([body("a"), {**body("a"), "model": "large"}, body("b")])
    assert {name: dialect.top for name, dialect in found._dialects.items()} == {"small": 20, "large": 0}


def test_a_server_out_of_order_is_not_taken_for_one_without_log_probabilities(server):
    server.answer = lambda number, body: (500, {}, "internal") if number < 3 else completion("B", SURE)
    found = client(server)
    assert found.complete([body("a")])[0]["top"] is not None
    assert found._dialects["small"] == Dialect()
