"""Answers over HTTP, to right requests and to wrong ones."""

import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from simdistill.config import compose
from simdistill.data import store as questions
from simdistill.errors import InputError
from simdistill.models.student import Student
from simdistill.runs import pipeline
from simdistill.serving.service import Service

STATE = {"arrival_rate": 2.0, "service_rates": [2.0, 0.5], "jobs": [3, 1]}


def lessons(run):
    return [q for q in questions.load(run / "questions.parquet") if q.decides]


def test_the_answers_are_the_students(server, run):
    asked = lessons(run)[:20]
    student = Student.load(pipeline.Record.of(run).config.student.name, run / "adapter")
    status, answers, _ = server.ask("/decide", [{"state": q.situation.state} for q in asked])
    assert status == 200
    for question, own, reply in zip(asked, student.score(asked), answers, strict=True):
        assert reply["choice"] == question.choices[own.choice]
        assert np.allclose(list(reply["probabilities"].values()), own.probabilities_C, atol=1e-5)
        assert reply["valid"] == (own.greedy is not None)
        assert reply["situation"] == question.prompt[-1]["content"] and not reply["outside_training"]


def test_teacher_and_heuristic_are_always_there(server):
    _, answer, _ = server.ask("/decide", {"state": STATE})
    assert answer["heuristic"] == {"name": "shortest_expected_delay", "choice": "A"}
    assert answer["teacher"]["choice"] in ("A", "B") and min(answer["teacher"]["costs"].values()) == 0
    assert "simulator" not in answer


def test_whole_numbers_are_read_as_training_wrote_them(server):
    _, answer, _ = server.ask("/decide", {"state": STATE | {"arrival_rate": 2, "service_rates": [2, 0.5]}})
    assert answer["situation"].startswith("Arrivals 2.0 a minute; rates A 2.0, B 0.5")


def test_what_training_never_showed_is_answered_and_flagged(server):
    status, answer, _ = server.ask("/decide", {"state": STATE | {"jobs": [250, 1]}})
    assert status == 200 and answer["choice"] in ("A", "B")
    assert [
        line for line in answer["outside_training"] if line.startswith("jobs[0] = 250, training had 0 to ")
    ]


def test_costs_are_exact_where_the_process_is_solved(server):
    _, answer, _ = server.ask("/decide", {"state": STATE, "what_if": 64})
    simulator = answer["simulator"]
    assert simulator["source"] == "exact" and simulator["then"] == "optimum"
    assert simulator["costs"]["A"] == 0 and 0.4 < simulator["costs"]["B"] < 0.7


def test_costs_come_from_futures_where_the_solution_ends(server):
    _, answer, _ = server.ask("/decide", {"state": STATE | {"jobs": [90, 2]}, "what_if": 64})
    simulator = answer["simulator"]
    assert simulator["source"] == "simulated" and simulator["begun"] == {"initial_jobs": [90, 2]}
    assert simulator["futures"] == 64 and "why_not_exact" in simulator
    assert simulator["met"] == 1  # so the costs are those futures' whole costs
    assert min(simulator["costs"].values()) == 0


def test_sizes_that_would_take_all_memory_are_not_simulated(server):
    _, answer, _ = server.ask("/decide", {"state": STATE | {"jobs": [10**9, 2]}, "what_if": 16})
    assert "10 times training's" in answer["simulator"]["why_not"]


def test_forecasts_come_from_the_student_and_the_simulator(server):
    _, answer, _ = server.ask("/forecast", {"state": STATE, "what_if": 64})
    (forecast,) = answer["forecasts"]
    assert list(forecast["student"]) == list(forecast["simulator"]) == ["below 2", "2-3", "4-6", "7 or more"]
    for distribution in (forecast["student"], forecast["simulator"]):
        assert sum(distribution.values()) == pytest.approx(1)
    assert answer["simulator"]["futures"] == 64


def test_the_schema_is_one_and_takes_every_training_state(server, run):
    _, schema, _ = server.ask("/schema")
    Draft202012Validator.check_schema(schema)
    for question in lessons(run):
        Draft202012Validator(schema).validate(question.situation.state)


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ({}, 'a request is an object with a "state"'),
        ({"state": STATE, "furtures": 3}, "furtures: unknown; known: state, choices, what_if"),
        ({"state": STATE | {"jobs": [1, 2, 3]}}, "jobs = [1, 2, 3]: must have 2 entries, not 3"),
        ({"state": STATE | {"arrival_rate": float("nan")}}, "arrival_rate = nan: must be a finite number"),
        ({"state": STATE, "choices": ["C"]}, "choices: 'C' is unknown; known: A, B"),
        ({"state": STATE, "choices": []}, "must be a list of the legal choices"),
        ({"state": STATE, "what_if": 10**6}, "what_if = 1000000: must be a number of futures, 4 to 512"),
        ([{"state": STATE}, {"state": {}}], "[1] arrival_rate: missing; must be a number"),
        ([{"state": STATE, "what_if": 8}], "what_if: not allowed in a list"),
        ([{"state": STATE}] * 65, "65 states; one request takes 1 to 64"),
        ([], "0 states; one request takes 1 to 64"),
    ],
)
def test_a_wrong_request_gets_a_line_for_each_mistake(server, body, line):
    status, answer, _ = server.ask("/decide", body)
    assert status == 422 and line in "\n".join(np.atleast_1d(answer["detail"]))


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"[" * 100_000, b"1" * 10_000])
def test_what_is_no_json_is_refused(server, raw):
    assert server.ask("/decide", raw=raw)[0] in (400, 422)


def test_a_large_body_is_refused(server):
    status, answer, _ = server.ask("/decide", raw=b" " * 300_000)
    assert status == 413 and "262144 bytes" in answer["detail"]


def test_a_body_of_unsaid_length_is_refused_when_it_gets_large(server):
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"POST /decide HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.sendall(b"493e0\r\n" + b" " * 300_000)
        assert b" 413 " in connection.recv(100)


def test_a_body_that_does_not_come_times_out(serve):
    with serve(seconds=0.5) as client, socket.create_connection(("127.0.0.1", client.port)) as connection:
        connection.sendall(b"POST /decide HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
        assert b" 408 " in connection.recv(100)


def test_a_simulator_that_takes_too_long_is_stopped_and_goes_on(serve):
    with serve(simulating=0.3) as client:
        _, answer, _ = client.ask("/decide", {"state": STATE, "what_if": 512})
        assert answer["choice"] and "took more than 0.3 seconds" in answer["simulator"]["why_not"]
        client.service.simulator.seconds = 60.0
        _, answer, _ = client.ask("/decide", {"state": STATE, "what_if": 64})
        assert answer["simulator"]["source"] == "exact"


class Gate:
    """Keeps the student from answering until it is opened."""

    def __init__(self, batches):
        self.batches, self.student = batches, batches.student
        self.open, self.sizes = False, []
        batches.student = self

    def score(self, posed):
        self.sizes.append(len(posed))
        while not self.open:
            time.sleep(0.01)
        return self.student.score(posed)

    def forget_beyond(self, most):
        self.student.forget_beyond(most)


def test_requests_that_come_together_are_answered_in_one_pass(serve):
    states = [STATE | {"jobs": [n, 0]} for n in range(9)]
    with serve() as client, ThreadPoolExecutor(9) as pool:
        alone = [client.ask("/decide", {"state": state})[1] for state in states]
        gate = Gate(client.service.batches)
        first = pool.submit(client.ask, "/decide", {"state": states[0]})
        while not gate.sizes:
            time.sleep(0.01)
        others = [pool.submit(client.ask, "/decide", {"state": state}) for state in states[1:]]
        while client.service.batches.waiting < 8:
            time.sleep(0.01)
        gate.open = True
        assert [future.result()[1] for future in [first, *others]] == alone
        assert gate.sizes == [1, 8]


def test_requests_beyond_the_queue_are_refused_for_now(serve):
    with serve(waiting=2) as client, ThreadPoolExecutor(3) as pool:
        gate = Gate(client.service.batches)
        first = pool.submit(client.ask, "/decide", {"state": STATE})
        while not gate.sizes:
            time.sleep(0.01)
        waiting = [pool.submit(client.ask, "/decide", {"state": STATE}) for _ in range(2)]
        while client.service.batches.waiting < 2:
            time.sleep(0.01)
        status, answer, headers = client.ask("/decide", {"state": STATE})
        assert (
            status == 503 and headers["retry-after"] == "1" and "2 requests are waiting" in answer["detail"]
        )
        gate.open = True
        assert {future.result()[0] for future in [first, *waiting]} == {200}


def test_a_student_that_takes_too_long_is_a_timeout(serve):
    with serve(seconds=0.2) as client:
        gate = Gate(client.service.batches)
        assert client.ask("/decide", {"state": STATE})[0] == 504
        gate.open = True
        assert client.ask("/decide", {"state": STATE})[0] == 200


def test_health_counts(serve):
    with serve() as client:
        client.ask("/decide", [{"state": STATE}] * 3)
        _, health, _ = client.ask("/health")
        assert health == {
            "status": "ok",
            "task": "queueing",
            "run": "run",
            "questions": 3,
            "passes": 1,
            "waiting": 0,
        }


def test_an_unfinished_run_is_not_served(tmp_path):
    folder = pipeline.start(compose(["task=queueing", f"output={tmp_path / 'run'}"])[0])
    with pytest.raises(InputError, match="has no student yet; finish it with: simdistill run resume="):
        Service(folder)


def test_a_port_in_use_is_an_error_with_the_way_out(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "simdistill", "serve", str(run), "--port", port]
        found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 2 and f"port {port}" in found.stderr and "--port" in found.stderr


def test_the_error_for_missing_packages_has_the_command(run):
    code = "import sys; sys.modules['fastapi'] = None\nfrom simdistill.cli import main\nmain()"
    found = subprocess.run([sys.executable, "-c", code, "serve", str(run)], capture_output=True, text=True)
    assert found.returncode == 2 and "-m pip install fastapi genson jsonschema uvicorn" in found.stderr
