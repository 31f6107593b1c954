"""The endpoint teacher against servers on loopback, and runs that it teaches."""

import json
from pathlib import Path
from typing import Any

import pytest
from loopback import SURE, asked, completion, teacher
from rich.console import Console

from simdistill.config import compose
from simdistill.data import store as questions
from simdistill.errors import InputError
from simdistill.progress import silent
from simdistill.results import Results
from simdistill.runs import pipeline
from simdistill.teachers.language_models.endpoint import EndpointTeacher, probabilities


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


def small(tiny_folder: Path, output: Path, server: Any, *overrides: str):
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
