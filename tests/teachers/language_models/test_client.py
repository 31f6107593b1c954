"""The client of a server that fails in every way."""

import logging
import time
from email.utils import formatdate

import pytest
from loopback import KEY, body, client, completion, once

from simdistill.errors import InputError
from simdistill.teachers.language_models import client as module
from simdistill.teachers.language_models.client import Endpoint


def test_replies_come_in_the_order_of_the_requests(server):
    def answer(number, body):
        text = body["messages"][0]["content"]
        time.sleep(0.02 * (int(text) % 3))
        return completion(text)

    server.answer = answer
    replies = client(server).complete([body(str(n)) for n in range(30)])
    assert [reply["text"] for reply in replies] == [str(n) for n in range(30)]
    assert 1 < server.most_at_once <= module.CONCURRENT


def test_equal_requests_are_sent_once(server):
    assert len(client(server).complete([body("a"), body("b"), body("a")])) == 3
    assert len(server.bodies) == 2


@pytest.mark.parametrize(
    "failure",
    [
        (500, {}, "internal"),
        (503, {}, ""),
        (429, {"Retry-After": "0"}, "slow down"),
        None,
        (200, {"Content-Length": "5000"}, completion("A")[:60]),
        (200, {}, '{"choices": ['),
        (200, {}, "<html>maintenance</html>"),
        (200, {}, '{"error": "overloaded"}'),
        (200, {}, '{"choices": [{"message": {"content": 5}}]}'),
    ],
    ids=["500", "503", "429", "cut", "cut in the body", "half", "html", "no choices", "no text"],
)
def test_a_failed_request_is_tried_again(server, failure):
    server.answer = once(failure)
    found = client(server, timeout=1.0)
    assert found.complete([body("a")])[0]["text"] == "A"
    assert len(server.bodies) == found.requests == 2


def test_a_slow_answer_is_tried_again(server):
    server.answer = once(lambda: time.sleep(1.0) or completion("late"))
    assert client(server, timeout=0.2).complete([body("a")])[0]["text"] == "A"


@pytest.mark.parametrize("when", [lambda: "1", lambda: formatdate(time.time() + 2, usegmt=True)])
def test_the_server_says_when_to_come_back(server, when):
    server.answer = once(lambda: (429, {"Retry-After": when()}, ""))
    client(server).complete([body("a")])
    assert 0.9 < server.times[1] - server.times[0] < 2.5


def test_a_server_that_wants_hours_ends_the_run(server):
    server.answer = once((429, {"Retry-After": "7200"}, "daily limit"))
    with pytest.raises(InputError, match=r"HTTP 429, daily limit; the server asks to wait for 7200 seconds"):
        client(server).complete([body("a")])


def test_a_server_that_stays_broken_is_told_with_what_it_says(server):
    server.answer = lambda number, body: (502, {}, "bad gateway")
    with pytest.raises(InputError, match=r"no usable reply in 3 tries; the last one: HTTP 502, bad gateway"):
        client(server).complete([body(str(n)) for n in range(50)])
    assert len(server.bodies) <= 3 * 2 * module.CONCURRENT  # it doesn't go on with all that is left


def test_what_was_answered_before_a_failure_is_kept(server):
    server.answer = lambda number, body: completion("A") if number < 10 else (400, {}, "enough")
    with pytest.raises(InputError, match="refuses a request for model small: HTTP 400, enough"):
        client(server).complete([body(str(n)) for n in range(40)])
    before = len(server.bodies)
    server.answer = lambda number, body: completion("A")
    client(server).complete([body(str(n)) for n in range(40)])
    assert len(server.bodies) - before == 30


def test_nobody_there_is_told(server):
    with pytest.raises(InputError, match=r"no usable reply in 3 tries; the last one: .*refused"):
        Endpoint("http://127.0.0.1:9", tries=3).complete([body("a")])


@pytest.mark.parametrize("url", ["localhost:8000/v1", "file:///etc/passwd", "http://", "http://h/v1?key=1"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(InputError, match=r"is no address as http://localhost:8000/v1"):
        Endpoint(url)


def test_a_key_in_the_address_is_refused():
    with pytest.raises(InputError) as caught:
        Endpoint(f"https://me:{KEY}@example.org/v1")
    assert "SIMDISTILL_API_KEY" in str(caught.value) and KEY not in str(caught.value)


def test_a_redirect_is_not_followed_with_the_key(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.answer = lambda number, body: (307, {"Location": f"{server.url}/elsewhere"}, "")
    with pytest.raises(InputError, match="HTTP 307"):
        client(server).complete([body("a")])
    assert len(server.bodies) == 1


def test_replies_are_kept_by_server_model_prompt_and_parameters(server):
    client(server).complete([body("a")])
    client(server).complete([body("a")])
    assert len(server.bodies) == 1
    for other in (body("b"), {**body("a"), "model": "large"}, {**body("a"), "temperature": 1}):
        before = len(server.bodies)
        client(server).complete([other])
        assert len(server.bodies) == before + 1
    Endpoint(f"{server.url}/").complete([body("a")])
    assert len(server.bodies) == 4


@pytest.mark.parametrize("status", [200, 401, 500])
def test_the_key_is_sent_and_written_nowhere(server, monkeypatch, caplog, tmp_path, status):
    monkeypatch.setenv("OPENAI_API_KEY", "another")
    monkeypatch.setenv("SIMDISTILL_API_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    server.answer = lambda number, body: (status, {}, completion(f"{KEY} is your key"))
    found = client(server)
    message = ""
    try:
        reply = found.complete([body("a")])
        assert reply[0]["text"] == "*** is your key"
    except InputError as error:
        message = f"{error} {error!r} {error.__cause__} {error.__context__!r}"
        assert "***" in message
    assert set(server.keys) == {f"Bearer {KEY}"}
    assert KEY not in message + caplog.text + repr(vars(found))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files and all(KEY.encode() not in path.read_bytes() for path in files)


def test_without_a_key_none_is_sent(server):
    client(server).complete([body("a")])
    assert server.keys == [None]


@pytest.mark.parametrize(
    "text",
    [
        '{"error": {"code": "insufficient_quota", "message": "You exceeded your current quota"}}',
        "You exceeded your current quota, please check your plan and billing details.",
        "Your credit balance is too low",
    ],
)
def test_a_quota_that_is_used_up_ends_the_run_at_once(server, text):
    server.answer = lambda number, body: (429, {}, text)
    with pytest.raises(InputError, match=r"the quota is used up: HTTP 429.*when there is new quota"):
        client(server, tries=6).complete([body("a")])
    assert len(server.bodies) == 1


def test_a_quota_a_minute_is_waited_for(server):
    server.answer = once((429, {"Retry-After": "1"}, "You exceeded your current quota. Please retry in 1s."))
    client(server).complete([body("a")])
    assert len(server.bodies) == 2
