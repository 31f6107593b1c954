"""Every method trains, keeps its stages, and uses the questions as it says."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from simdistill import registry, rewards
from simdistill.config import RunConfig, compose
from simdistill.distill.methods.sft_filtered import certain
from simdistill.distill.plain import grpo_round
from simdistill.distill.schedule import Schedule
from simdistill.errors import InputError
from simdistill.files import read_json, read_lines
from simdistill.questions import Question, save
from simdistill.students import Lora, Student

SMALL = [
    "task=queueing",
    "distill.questions=16",
    "distill.rounds=1",
    "distill.round_questions=8",
    "distill.batch_size=8",
    "distill.warmup_steps=0",
    "distill.checkpoint_steps=1",
    "distill.grpo.questions=4",
    "distill.grpo.prompts=2",
    "distill.grpo.samples=4",
    "student.lora.r=2",
    "student.lora.layers=2",
    "student.dtype=float32",
]
METHODS = [name for name in registry.names("methods") if name != "simdistill"]
ROUNDS = {"dagger": [16, 8], "grpo": [4], "sft_grpo": [16, 4], "sft_filtered": [8]}


def questions(count: int) -> list[Question]:
    """The shorter queue is better, by twice the error for every second question."""
    found = []
    for number in range(count):
        jobs = [number % 5, 4 - number % 5 if number % 5 != 2 else 3]
        best = int(jobs[1] < jobs[0])
        found.append(
            Question(
                kind="decision",
                task="queueing",
                simulator="queueing",
                split="train",
                round=0,
                group=number // 8,
                prompt=[
                    {"role": "system", "content": "Answer with the server's letter."},
                    {"role": "user", "content": f"Jobs A {jobs[0]}, B {jobs[1]}."},
                ],
                choices=["A", "B"],
                answer="AB"[best],
                values=[0.5 * best, 0.5 * (1 - best)],
                standard_errors=[0.1 if number % 2 else 1.0, 0.0],
                raw_values=[0.0, 0.0],
                raw_standard_errors=[0.0, 0.0],
                probabilities=None,
                params="{}",
                state=json.dumps({"jobs": jobs}),
                seed_path=[0, 0, 0, number],
                actions=[],
                time=0.0,
            )
        )
    return found


def configured(tiny_folder: Path, *overrides: str) -> RunConfig:
    return compose([*SMALL, f"student.name={tiny_folder}", *overrides])[0]


def distilled(name: str, config: RunConfig, folder: Path):
    method = registry.load("methods", name)(config, folder)
    method.training.mkdir(parents=True, exist_ok=True)
    if not (method.training / "questions-0.parquet").exists():
        save(questions(16), method.training / "questions-0.parquet")
    done = method(questions(4), lambda number, student: questions(8), "# Card", lambda *shown: None)
    return method, done


@pytest.mark.parametrize("name", METHODS)
def test_a_method_trains_in_its_stages(name, tiny_folder, tmp_path):
    method, done = distilled(name, configured(tiny_folder), tmp_path)
    sizes = ROUNDS.get(name, [16])
    rounds = [read_json(tmp_path / "training" / f"round-{number}.json") for number in range(len(sizes))]
    assert [found["questions"] for found in rounds] == sizes
    assert done.questions == sum(sizes) and done.tokens > 0
    rows = read_lines(tmp_path / "metrics.jsonl")
    losses = [row["loss"] for row in rows if "loss" in row]
    assert len(losses) == sum(found["steps"] for found in rounds) and np.isfinite(losses).all()
    assert [row["step"] for row in rows if "tune_regret" in row][-1] == len(losses)
    fresh = Student.for_training(tiny_folder, Lora(2, 32.0, "all-linear", 2), 0, dtype=method.dtype)
    trained = Student.for_training(tiny_folder, Lora(2), 0, method.adapter(), method.dtype)
    before, after = (dict(student.model.named_parameters()) for student in (fresh, trained))
    moved = max(float((after[name] - before[name]).detach().abs().max()) for name in after if "lora" in name)
    # A model that never says a choice has nothing to learn from samples.
    assert moved > 0 or name == "grpo"


def told(config: RunConfig, tiny_folder: Path, asked: list[Question]) -> list[tuple[float, ...]]:
    method = registry.load("methods", "kd")(config, Path("unused"))
    return [row.soft_C for row in method.rows(Student.load(tiny_folder), asked)]


def test_kd_teaches_the_probabilities_of_a_language_model(tiny_folder, caplog):
    taught = configured(tiny_folder, "teacher=hf", f"teacher.model={tiny_folder}")
    asked = [replace(question, teacher_probabilities=[0.25, 0.75]) for question in questions(8)]
    assert told(taught, tiny_folder, asked) == [(0.25, 0.75)] * 8
    assert not caplog.messages
    # Without a language model, soft targets are what choices cost.
    assert told(configured(tiny_folder), tiny_folder, asked)[0] != (0.25, 0.75)


def test_kd_falls_back_to_hard_labels_and_says_so_once(tiny_folder, caplog):
    taught = configured(tiny_folder, "teacher=hf", f"teacher.model={tiny_folder}")
    silent = questions(8)
    asked = [replace(silent[0], teacher_probabilities=[0.25, 0.75]), *silent[1:]]
    hard = [tuple(float(choice == q.answer) for choice in q.choices) for q in asked]
    assert told(taught, tiny_folder, asked) == hard
    (message,) = caplog.messages
    assert "for 7 of 8 questions: all are taught as hard labels" in message


def test_sft_stopped_in_training_ends_with_the_same_student(tiny_folder, tmp_path, monkeypatch):
    from simdistill.distill import method as module

    class Stop(Exception):
        pass

    def stop(self, args, state, control, **kwargs):
        if state.global_step == 2:
            raise Stop

    config = configured(tiny_folder)
    whole, _ = distilled("sft", config, tmp_path / "whole")
    with monkeypatch.context() as patch, pytest.raises(Stop):
        patch.setattr(module.Watch, "on_step_begin", stop, raising=False)
        patch.setattr(module.Watch, "on_step_end", stop)
        distilled("sft", configured(tiny_folder), tmp_path / "stopped")
    stopped, _ = distilled("sft", config, tmp_path / "stopped")
    paths = [found.adapter() / "adapter_model.safetensors" for found in (whole, stopped)]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_rewards_see_each_group_whole(tiny_folder, tmp_path, monkeypatch):
    seen = []

    def watched(completions, prompts, choices, values, **columns):
        seen.append([prompt[-1]["content"] for prompt in prompts])
        return [float(number % 3) for number in range(len(completions))]

    monkeypatch.setattr(rewards, "consistency", watched)
    student = Student.for_training(tiny_folder, Lora(2), 0)
    schedule = Schedule(1e-3, 0.0, 0, 8, tmp_path, 0, 10, bf16=False)
    result = grpo_round(student, questions(4), scale=1.0, samples=4, schedule=schedule)
    assert result.steps == 2 and result.questions == 4
    for batch in seen:
        groups = [batch[begin : begin + 4] for begin in range(0, len(batch), 4)]
        assert all(len(set(group)) == 1 for group in groups)


def test_only_certain_answers_stay():
    assert [certain(question) for question in questions(4)] == [False, True, False, True]


def test_no_certain_answer_is_told(tiny_folder, tmp_path):
    method = registry.load("methods", "sft_filtered")(configured(tiny_folder), tmp_path)
    with pytest.raises(InputError, match=r"sure of none of 1 answers; raise teacher\.futures"):
        method.train(0, None, questions(1), [])  # type: ignore[arg-type]
