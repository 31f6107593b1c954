"""Every method trains, keeps its stages, and uses the questions as it says."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from simdistill import registry, rewards
from simdistill.config import MethodConfig, RunConfig, compose
from simdistill.config.names import learns_from
from simdistill.data.question import Question
from simdistill.data.store import save
from simdistill.errors import InputError
from simdistill.files import read_json, read_lines
from simdistill.models.device import quiet
from simdistill.models.lora import Lora
from simdistill.models.student import Student
from simdistill.training.methods.sft_filtered import certain
from simdistill.training.sampling import SamplingConfig
from simdistill.training.schedule import Schedule
from simdistill.training.stages import RoundResult, Stage
from simdistill.training.trainers import plain
from simdistill.training.trainers.batch import Batch, training_questions

SMALL = [
    "task=queueing",
    "distill.questions=16",
    "distill.rounds=1",
    "distill.round_questions=8",
    "distill.batch_size=8",
    "distill.warmup_steps=0",
    "distill.checkpoint_steps=1",
    "student.lora.r=2",
    "student.lora.layers=2",
    "student.dtype=float32",
]
SAMPLED = ["method.questions=4", "method.prompts=2", "method.samples=4", "method.demonstrations=4"]
METHODS = [name for name in registry.names("methods") if name != "simdistill" and not learns_from(name)]
ROUNDS = {
    "dagger": [16, 8],
    "grpo": [4],
    "sft_grpo": [16, 4],
    "sft_filtered": [8],
    "chord": [12],
    "simdistill_sampled": [12],
}


def configured(tiny_folder: Path, *overrides: str, method: str = "simdistill") -> RunConfig:
    own = getattr(registry.load("methods", method), "Config", MethodConfig)
    sampled = SAMPLED if "samples" in own.model_fields else []
    return compose([*SMALL, f"method={method}", *sampled, f"student.name={tiny_folder}", *overrides])[0]


def looked_into(method: str, model: Path) -> list[str]:
    """What a method needs that learns from a language model."""
    return [f"teacher.model={model}"] if learns_from(method) else []


@pytest.fixture
def distilled(shorter_queue):
    """Trains a method in a folder; returns it and what it did."""

    def distilled(name: str, config: RunConfig, folder: Path, progress=lambda *shown: None):
        method = registry.load("methods", name)(config, folder)
        method.training.mkdir(parents=True, exist_ok=True)
        if not (method.training / "questions-0.parquet").exists():
            save(shorter_queue[:16], method.training / "questions-0.parquet")
        asked = shorter_queue[:8]
        return method, method(shorter_queue[:4], lambda number, student: asked, "# Card", progress)

    return distilled


def test_questions_come_in_balanced_batches_unless_told_otherwise(tiny_folder, tmp_path, shorter_queue):
    asked = {}
    for wanted in (True, False):
        config = configured(tiny_folder, "method=sft", f"distill.balanced={str(wanted).lower()}")
        method = registry.load("methods", "sft")(config, tmp_path / str(wanted))
        method.training.mkdir(parents=True)
        save(shorter_queue[:16], method.training / "questions-0.parquet")
        answers = [question.answer for question in method._questions(0)]
        asked[wanted] = [answers[:8].count("A"), answers[8:].count("A")]
    answers = [question.answer for question in shorter_queue[:16]]
    assert asked[False] == [answers[:8].count("A"), answers[8:].count("A")]
    assert max(asked[True]) - min(asked[True]) <= sum(asked[True]) % 2 < max(asked[False]) - min(asked[False])


@pytest.mark.parametrize("name", METHODS)
def test_a_method_trains_in_its_stages(name, tiny_folder, tmp_path, distilled):
    method, done = distilled(name, configured(tiny_folder, method=name), tmp_path)
    sizes = ROUNDS.get(name, [16])
    rounds = [read_json(tmp_path / "training" / f"round-{number}.json") for number in range(len(sizes))]
    assert [found["questions"] for found in rounds] == sizes
    assert done.questions == sum(sizes) and done.tokens > 0
    rows = read_lines(tmp_path / "metrics.jsonl")
    losses = [row["loss"] for row in rows if "loss" in row]
    assert len(losses) == sum(found["steps"] for found in rounds) and np.isfinite(losses).all()
    assert [row["step"] for row in rows if "validation_regret" in row][-1] == len(losses)
    assert rows[-1]["questions"] == done.questions and rows[-1]["tokens"] == done.tokens
    times = read_lines(tmp_path / "training" / "clock.jsonl")
    assert [row["step"] for row in times] == list(range(1, len(losses) + 1))
    assert (np.diff([0, *(row["seconds"] for row in times)]) > 0).all()
    fresh = Student.for_training(tiny_folder, Lora(2, 32.0, "all-linear", 2), 0, dtype=method.dtype)
    trained = Student.for_training(tiny_folder, Lora(2), 0, method.adapter(), method.dtype)
    before, after = (dict(student.model.named_parameters()) for student in (fresh, trained))
    moved = max(float((after[name] - before[name]).detach().abs().max()) for name in after if "lora" in name)
    # This model never says a choice, so all its samples are rewarded alike and GRPO alone has no gradient.
    assert (moved > 0) == (name != "grpo")
    assert [row["round"] for row in rows if "loss" in row] == [
        number for number, found in enumerate(rounds) for _ in range(found["steps"])
    ]


@pytest.mark.parametrize(("again", "questions", "first"), [(False, 16, 8), (False, 6, 6), (True, 6, 0)])
def test_grpo_after_sft_asks_new_questions_as_far_as_there_are(
    again, questions, first, tiny_folder, tmp_path
):
    config = configured(
        tiny_folder,
        f"method.again={str(again).lower()}",
        f"distill.questions={questions}",
        "teacher.scenarios=12",
        "teacher.episodes_per_scenario=1",
        "teacher.states_per_episode=1",
        method="sft_grpo",
    )
    stages = registry.load("methods", "sft_grpo")(config, tmp_path).stages
    assert [stage.taught for stage in stages] == [range(questions), range(first, first + 4)]


def test_a_stage_asks_the_last_questions_if_there_are_fewer_than_planned():
    stage = Stage("", size=4, batch_size=2, first=16)
    assert [stage.among(known) for known in (20, 18, 3)] == [range(16, 20), range(14, 18), range(0, 4)]


def test_a_later_round_mixes_its_own_states_with_new_ones_of_the_teacher(
    tiny_folder, tmp_path, monkeypatch, shorter_queue, outcomes
):
    asked: list[list[Question]] = []

    def remembered(self, number, student, questions, callbacks):
        asked.append(list(questions))
        return RoundResult(0, len(questions), 0, 0.0)

    monkeypatch.setattr(registry.load("methods", "simdistill"), "train", remembered)
    taught = [part for pair in zip(shorter_queue[:24], outcomes[:24], strict=True) for part in pair]
    (tmp_path / "training").mkdir()
    save(taught, tmp_path / "training" / "questions-0.parquet")
    config = configured(tiny_folder, "distill.round_teacher_questions=4", "distill.balanced=false")
    method = registry.load("methods", "simdistill")(config, tmp_path)
    own = [replace(q, group=100 + q.situation.path[3] // 4, round=1) for q in shorter_queue[:8]]
    method([], lambda number, student: own, "# Card", lambda *shown: None)

    def numbers(found):
        return [question.situation.path[3] for question in found]

    first, second = asked
    assert numbers(first) == [number for number in range(16) for _ in range(2)]
    assert numbers(q for q in second if not q.round) == [16, 16, 17, 17, 18, 18, 19, 19]
    # Own states take turns by scenario, and either half of the round has as many of them.
    assert numbers(q for q in second if q.round) == [0, 4, 1, 5, 2, 6, 3, 7]
    assert [sum(bool(q.round) for q in half) for half in (second[:8], second[8:])] == [4, 4]
    rates = [rate for s in map(method.schedule, range(2)) for rate in (s.learning_rate, s.end_learning_rate)]
    assert rates == pytest.approx([1e-3, 1e-3 * 12 / 28, 1e-3 * 12 / 28, 0])


@pytest.mark.parametrize("name", ["simdistill", "sft", "grpo", "simdistill_sampled", "sft_grpo"])
def test_a_step_in_parts_is_the_same_step(name, tiny_folder, tmp_path, monkeypatch, distilled):
    """Of answers that are drawn anew, and so of GRPO after its first step, only the number is."""
    monkeypatch.setattr(rewards, "consistency", lambda completions, **columns: [0.0] * len(completions))
    found = []
    for parts in (1, 4):
        config = configured(tiny_folder, f"distill.accumulation={parts}", method=name)
        method, done = distilled(name, config, tmp_path / str(parts))
        rounds = sorted(method.training.glob("round-*.json"))
        stages = [(read_json(path)["steps"], read_json(path)["questions"]) for path in rounds]
        schedules = list(map(method.schedule, range(len(stages))))
        assert {schedule.accumulation for schedule in schedules} == {parts}
        sizes = [schedule.batch_size * parts for schedule in schedules]
        rows = read_lines(tmp_path / str(parts) / "metrics.jsonl")
        losses = [row["loss"] for row in rows if "loss" in row]
        found.append((stages, sizes, done.questions, pytest.approx(losses, rel=1e-3, abs=1e-5)))
    assert found[0][:3] == found[1][:3] and found[0][3].expected == found[1][3]


def test_parts_that_cannot_be_equal_are_told(tiny_folder, tmp_path):
    for name, parts, step in (("sft", 3, 8), ("grpo", 3, 8), ("sft_grpo", 16, 8), ("opd", 8, 4)):
        what = [f"teacher.model={tiny_folder}", f"distill.accumulation={parts}"]
        what += ["method.prompts=4"] if name == "opd" else []
        config = configured(tiny_folder, *what, method=name)
        method = registry.load("methods", name)(config, tmp_path / name)
        with pytest.raises(InputError, match=f"accumulation={parts}: a step of {step} can't be divided"):
            method.prepare()
    # Nobody asks for what isn't used: GRPO's steps aren't of distill.batch_size.
    what = ["distill.batch_size=7", "distill.accumulation=4"]
    config = configured(tiny_folder, *what, method="grpo")
    registry.load("methods", "grpo")(config, tmp_path / "unused").prepare()


def told(config: RunConfig, tiny_folder: Path, asked: list[Question]) -> list[tuple[float, ...]]:
    method = registry.load("methods", config.method.name)(config, Path("unused"))
    rows = method.rows(Student.load(tiny_folder), asked)
    assert [row.regret_C for row in rows] == [tuple(q.costs_C) for q in asked]
    return [row.soft_C for row in rows]


@pytest.mark.parametrize("name", ["kd", "simdistill"])
def test_the_probabilities_of_a_language_model_are_taught(name, tiny_folder, caplog, shorter_queue):
    what = [f"method={name}", "task.scale=1"]
    taught = configured(tiny_folder, *what, "teacher=hf", f"teacher.model={tiny_folder}")
    asked = [replace(question, teacher_probabilities=[0.25, 0.75]) for question in shorter_queue[:8]]
    assert told(taught, tiny_folder, asked) == [(0.25, 0.75)] * 8
    assert not caplog.messages
    # Without a language model, soft targets are what choices cost.
    assert told(configured(tiny_folder, *what), tiny_folder, asked)[0] != (0.25, 0.75)


@pytest.mark.parametrize("name", ["kd", "simdistill"])
def test_without_all_probabilities_hard_labels_are_taught_and_that_is_said_once(
    name, tiny_folder, caplog, shorter_queue
):
    what = [f"method={name}", "task.scale=1", "teacher=hf", f"teacher.model={tiny_folder}"]
    silent = shorter_queue[:8]
    asked = [replace(silent[0], teacher_probabilities=[0.25, 0.75]), *silent[1:]]
    hard = [tuple(float(choice == q.answer) for choice in q.choices) for q in asked]
    assert told(configured(tiny_folder, *what), tiny_folder, asked) == hard
    (message,) = caplog.messages
    assert "for 7 of 8 questions, so its answers to all of them are used as hard labels" in message
    if name == "simdistill":
        told(configured(tiny_folder, *what, "distill.soft=0"), tiny_folder, asked)
        assert len(caplog.messages) == 1


@pytest.mark.parametrize("name", ["simdistill", "simdistill_sampled", "kd"])
def test_a_language_models_probabilities_change_what_is_learned(
    name, tiny_folder, tmp_path, shorter_queue, distilled
):
    what = ["teacher=hf", f"teacher.model={tiny_folder}", "distill.rounds=0"]
    losses = []
    for told_C in ([0.05, 0.95], [0.95, 0.05]):
        folder = tmp_path / str(told_C[0])
        asked = [replace(question, teacher_probabilities=told_C) for question in shorter_queue[:16]]
        (folder / "training").mkdir(parents=True)
        save(asked, folder / "training" / "questions-0.parquet")
        distilled(name, configured(tiny_folder, *what, method=name), folder)
        losses.append(read_lines(folder / "metrics.jsonl")[0]["imitation"])
    assert abs(losses[0] - losses[1]) > 0.1


def test_sft_stopped_in_training_ends_with_the_same_student(tiny_folder, tmp_path, distilled):
    def stop(phase: str, step: int, steps: int) -> None:
        if step == 2:
            raise KeyboardInterrupt

    config = configured(tiny_folder)
    whole, _ = distilled("sft", config, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        distilled("sft", config, tmp_path / "stopped", stop)
    stopped, _ = distilled("sft", config, tmp_path / "stopped")
    paths = [found.adapter() / "adapter_model.safetensors" for found in (whole, stopped)]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    rows = [read_lines(found.folder / "metrics.jsonl") for found in (whole, stopped)]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("name", ["sft", "dagger", "sft_grpo"])
def test_a_packed_method_computes_fewer_tokens(name, tiny_folder, tmp_path, distilled):
    (_, whole), (_, packed) = (
        distilled(name, configured(tiny_folder, f"distill.packed={flag}", method=name), tmp_path / flag)
        for flag in ("false", "true")
    )
    assert packed.questions == whole.questions and packed.tokens < whole.tokens


def test_vllm_is_asked_for_where_it_can_run(tiny_folder, tmp_path, monkeypatch, shorter_queue):
    sampling = configured(tiny_folder, "method.vllm=true", "device=cpu", method="grpo")
    method = registry.load("methods", "grpo")(sampling, tmp_path)
    with pytest.raises(InputError, match="needs a graphics card, and this run is on device=cpu"):
        method.prepare()
    monkeypatch.setattr(type(method), "device", "cuda")
    with pytest.raises(InputError, match="pip install 'simdistill"):
        method.prepare()
    student = Student.for_training(tiny_folder, Lora(2), 0, dtype=torch.float32)
    schedule = Schedule(1e-3, 0.0, 0, 16, tmp_path, 0, 0, bf16=False)
    for vllm in (False, True):
        settings = SamplingConfig(samples=4, vllm=vllm)
        with quiet():
            arguments = plain.sampling(student, shorter_queue[:4], {"queueing": 1.0}, settings, schedule)[
                "args"
            ]
        assert arguments.use_vllm is vllm


@pytest.mark.parametrize("name", ["simdistill_sampled", "chord", "grpo", "sft_grpo"])
def test_a_student_that_samples_has_the_room_to_reason_that_it_is_given(
    name, tiny_folder, tmp_path, monkeypatch, distilled
):
    lengths = []

    def heard(completions, completion_ids, **columns):
        lengths.extend(map(len, completion_ids))
        return [len(ids) / 12 for ids in completion_ids]

    monkeypatch.setattr(rewards, "consistency", heard)
    distilled(name, configured(tiny_folder, "method.answer_tokens=12", method=name), tmp_path)
    assert max(lengths) == 12


def forced(asked: list[Question]) -> list[Question]:
    """The same with nothing to choose."""
    return [replace(question, choices=["A"], answer="A") for question in asked]


def test_a_batch_says_of_which_kind_its_questions_are(tiny_folder, shorter_queue, outcomes):
    learner = Student.load(str(tiny_folder))
    rows = training_questions(learner, [*shorter_queue[:1], *outcomes[:1]], {"queueing": 1.0}, 0.1)
    assert Batch.of(rows, ["forecast", "decision"])["kind_Q"].tolist() == [1, 0]


NO_DECISIONS = r"questions-0\.parquet has no decision questions to learn from; raise teacher\.scenarios"
NO_CHOICE = r"questions-0\.parquet: none of the 4 decisions has more than one choice"


@pytest.mark.parametrize("name", registry.names("methods"))
@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda asked, outcomes: [], NO_DECISIONS),
        (lambda asked, outcomes: outcomes, NO_DECISIONS),
        (lambda asked, outcomes: forced(asked), NO_CHOICE),
        (lambda asked, outcomes: [*forced(asked), *outcomes], NO_CHOICE),
    ],
)
def test_nothing_to_learn_is_told(
    name, made, message, tiny_folder, tmp_path, shorter_queue, outcomes, distilled
):
    save(made(shorter_queue[:4], outcomes[:4]), tmp_path / "training" / "questions-0.parquet")
    with pytest.raises(InputError, match=message):
        distilled(name, configured(tiny_folder, *looked_into(name, tiny_folder), method=name), tmp_path)


def rates(name: str, tiny_folder, folder: Path, *overrides: str) -> list[float]:
    method = registry.load("methods", name)(configured(tiny_folder, *overrides, method=name), folder)
    method.training.mkdir(parents=True, exist_ok=True)
    return [method.schedule(number).learning_rate for number in range(len(method.stages))]


def test_a_method_has_its_own_learning_rate_unless_one_is_set(tiny_folder, tmp_path):
    own = registry.load("methods", "grpo").learning_rate
    assert rates("grpo", tiny_folder, tmp_path) == [own]
    assert rates("grpo", tiny_folder, tmp_path, "distill.learning_rate=3e-3") == [3e-3]
    assert rates("grpo", tiny_folder, tmp_path, "method.learning_rate=2e-3") == [2e-3]
    supervised = registry.load("methods", "sft").learning_rate
    assert rates("sft", tiny_folder, tmp_path) == [supervised] != [own]
    assert rates("sft_grpo", tiny_folder, tmp_path) == [supervised, own]
    assert rates("sft_grpo", tiny_folder, tmp_path, "distill.learning_rate=3e-3") == [3e-3, own]
    assert rates("sft_grpo", tiny_folder, tmp_path, "method.learning_rate=2e-3") == [supervised, 2e-3]


WEIGHED = ["distill.imitation=2", "distill.soft=0.5", "distill.regret=0", "distill.validity=0.5"]


@pytest.mark.parametrize(
    ("name", "unused"),
    [
        ("simdistill", ""),
        ("simdistill_sampled", "distill.validity=0.5"),
        *(
            (name, "distill.imitation=2, distill.soft=0.5, distill.regret=0, distill.validity=0.5")
            for name in ("chord", "dagger", "grpo", "kd", "sft", "sft_filtered", "sft_grpo")
        ),
    ],
)
def test_weights_that_change_nothing_are_told(name, unused, tiny_folder, tmp_path, caplog):
    method = registry.load("methods", name)
    method(configured(tiny_folder, method=name), tmp_path).prepare()
    assert not caplog.messages
    method(configured(tiny_folder, *WEIGHED, method=name), tmp_path).prepare()
    told = [f"method={name} doesn't use {unused}"] if unused else []
    assert caplog.messages == told


@pytest.mark.parametrize("name", ["kd", "sft", "simdistill"])
def test_a_model_that_nobody_asks_is_told(name, tiny_folder, tmp_path, caplog):
    what = [f"method={name}", f"teacher.model={tiny_folder}"]
    method = registry.load("methods", name)
    method(configured(tiny_folder, *what, "teacher=hf"), tmp_path).prepare()
    assert not caplog.messages
    method(configured(tiny_folder, *what), tmp_path).prepare()
    (message,) = caplog.messages
    assert message.endswith(
        "learns only from teacher.name=search; to learn from the model's answers set teacher=hf or "
        "teacher=endpoint"
    )


@pytest.mark.parametrize("name", registry.names("methods"))
def test_a_method_uses_the_loss_weights_it_says(name, tiny_folder, tmp_path):
    """What is made of the settings changes with them, or is said not to."""
    method = registry.load("methods", name)
    model = looked_into(name, tiny_folder)

    def made(*overrides: str) -> list:
        found = method(configured(tiny_folder, *model, *overrides, method=name), tmp_path)
        return [getattr(found, part, None) for part in ("weights", "mix", "soft")]

    for override in WEIGHED:
        field = override.removeprefix("distill.").partition("=")[0]
        assert (made(override) != made()) == (field in method.loss_weights_used)


def test_only_certain_answers_stay(shorter_queue):
    assert [certain(question) for question in shorter_queue[:4]] == [False, True, False, True]


def test_no_certain_answer_is_told(tiny_folder, tmp_path, shorter_queue):
    method = registry.load("methods", "sft_filtered")(configured(tiny_folder), tmp_path)
    with pytest.raises(InputError, match=r"none of 1 answers is better .*; raise teacher\.futures"):
        method.wanted(shorter_queue[:1])


def test_a_run_tries_first_whether_its_models_can_be_packed(tiny_folder, tmp_path, monkeypatch):
    tried = []
    monkeypatch.setattr(Student, "check_packing", lambda self, asked: tried.append((self.base.name, asked)))
    registry.load("methods", "sft")(configured(tiny_folder), tmp_path).prepare()
    ((name, asked),) = tried
    assert name == "tiny" and len(asked) == 2 and asked[0].choices == ["A", "B"]
    lengths = [len(question.prompt[-1]["content"]) for question in asked]
    assert lengths[1] == 2 * lengths[0] + 1


def test_a_chat_template_without_a_system_message_is_told_before_anything_is_simulated(tiny_folder, tmp_path):
    copy = shutil.copytree(tiny_folder, tmp_path / "copy")
    refusing = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    (copy / "chat_template.jinja").write_text(refusing + "{% for m in messages %}{{ m.content }}{% endfor %}")
    method = registry.load("methods", "sft")(configured(copy), tmp_path)
    with pytest.raises(InputError, match="refuses messages of the roles system, user: no system"):
        method.prepare()
