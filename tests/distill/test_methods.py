"""Every method trains, keeps its stages, and uses the questions as it says."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import TrainerCallback

from simdistill import registry, rewards
from simdistill.config import FROM_A_MODEL, compose
from simdistill.distill import plain
from simdistill.distill.methods.sft import LIKELIHOOD
from simdistill.distill.methods.sft_filtered import certain
from simdistill.distill.plain import grpo_round, sft_round
from simdistill.distill.schedule import Schedule
from simdistill.distill.trainers import MetricsWriter, RoundResult, collate, train_round, training_questions
from simdistill.errors import InputError
from simdistill.files import read_json, read_lines
from simdistill.machine import quiet
from simdistill.questions import Question, save
from simdistill.settings import GrpoConfig, RunConfig
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
    "distill.grpo.demonstrations=4",
    "student.lora.r=2",
    "student.lora.layers=2",
    "student.dtype=float32",
]
METHODS = [name for name in registry.names("methods") if name not in ("simdistill", *FROM_A_MODEL)]
ROUNDS = {
    "dagger": [16, 8],
    "grpo": [4],
    "sft_grpo": [16, 4],
    "sft_filtered": [8],
    "chord": [12],
    "simdistill_sampled": [12],
}


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


def test_questions_come_in_balanced_batches_unless_told_otherwise(tiny_folder, tmp_path):
    asked = {}
    for wanted in (True, False):
        config = configured(tiny_folder, "method=sft", f"distill.balanced={str(wanted).lower()}")
        method = registry.load("methods", "sft")(config, tmp_path / str(wanted))
        method.training.mkdir(parents=True)
        save(questions(16), method.training / "questions-0.parquet")
        answers = [question.answer for question in method._questions(0)]
        asked[wanted] = [answers[:8].count("A"), answers[8:].count("A")]
    answers = [question.answer for question in questions(16)]
    assert asked[False] == [answers[:8].count("A"), answers[8:].count("A")]
    assert max(asked[True]) - min(asked[True]) <= sum(asked[True]) % 2 < max(asked[False]) - min(asked[False])


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
    assert rows[-1]["questions"] == done.questions and rows[-1]["tokens"] == done.tokens
    times = read_lines(tmp_path / "training" / "clock.jsonl")
    assert [row["step"] for row in times] == list(range(1, len(losses) + 1))
    assert (np.diff([0, *(row["seconds"] for row in times)]) > 0).all()
    fresh = Student.for_training(tiny_folder, Lora(2, 32.0, "all-linear", 2), 0, dtype=method.dtype)
    trained = Student.for_training(tiny_folder, Lora(2), 0, method.adapter(), method.dtype)
    before, after = (dict(student.model.named_parameters()) for student in (fresh, trained))
    moved = max(float((after[name] - before[name]).detach().abs().max()) for name in after if "lora" in name)
    # A model that never says a choice has nothing to learn from samples.
    assert moved > 0 or name == "grpo"


def test_a_later_round_mixes_its_own_states_with_new_ones_of_the_teacher(tiny_folder, tmp_path, monkeypatch):
    asked: list[list[Question]] = []

    def remembered(self, number, student, questions, callbacks):
        asked.append(list(questions))
        return RoundResult(0, len(questions), 0, 0.0)

    monkeypatch.setattr(registry.load("methods", "simdistill"), "train", remembered)
    forecasts = [replace(question, kind="forecast") for question in questions(24)]
    taught = [part for pair in zip(questions(24), forecasts, strict=True) for part in pair]
    (tmp_path / "training").mkdir()
    save(taught, tmp_path / "training" / "questions-0.parquet")
    config = configured(tiny_folder, "distill.round_teacher_questions=4", "distill.balanced=false")
    method = registry.load("methods", "simdistill")(config, tmp_path)
    own = [replace(q, group=100 + q.seed_path[3] // 4, round=1) for q in questions(8)]
    method([], lambda number, student: own, "# Card", lambda *shown: None)

    def numbers(found):
        return [question.seed_path[3] for question in found]

    first, second = asked
    assert numbers(first) == [number for number in range(16) for _ in range(2)]
    assert numbers(q for q in second if not q.round) == [16, 16, 17, 17, 18, 18, 19, 19]
    # Own states take turns by scenario, and either half of the round has as many of them.
    assert numbers(q for q in second if q.round) == [0, 4, 1, 5, 2, 6, 3, 7]
    assert [sum(bool(q.round) for q in half) for half in (second[:8], second[8:])] == [4, 4]
    rates = [rate for s in map(method.schedule, range(2)) for rate in (s.learning_rate, s.end_learning_rate)]
    assert rates == pytest.approx([1e-3, 1e-3 * 12 / 28, 1e-3 * 12 / 28, 0])


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


def grpo(tiny_folder, folder: Path, asked: list[Question], callbacks=(), seed: int = 0, **changes):
    """Trains by GRPO, four answers a question; returns the student and the gradients of the first step."""
    gradients = Gradients()
    student = moved(Student.for_training(tiny_folder, Lora(2), seed, dtype=torch.float32))
    schedule = replace(Schedule(1e-3, 0.0, 0, 8, folder, 0, 0, bf16=False), **changes)
    result = grpo_round(student, asked, 1.0, GrpoConfig(samples=4), schedule, [gradients, *callbacks])
    return student, gradients.found, result


def moved(student: Student) -> Student:
    """A student whose adapter isn't zero, so that every weight of it has a gradient."""
    torch.manual_seed(0)
    for name, weight in student.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    return student


class Gradients(TrainerCallback):
    """Keeps the gradients of the first optimizer step."""

    def __init__(self):
        self.found = {}

    def on_pre_optimizer_step(self, args, state, control, **kwargs):
        if not self.found:
            named = kwargs["model"].named_parameters()
            self.found = {name: weight.grad.clone() for name, weight in named if weight.requires_grad}


def assert_same(found, expected):
    assert max(float(gradient.abs().max()) for gradient in expected.values()) > 1e-3
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-5)


def letters(completions, **columns) -> list[float]:
    """A reward that differs between the babbled answers of a model that knows nothing."""
    return [sum(map(ord, said[-1]["content"])) % 7 / 7 for said in completions]


def test_sft_in_parts_has_the_gradient_of_one_batch(tiny_folder, tmp_path):
    found = []
    asked = [replace(q, answer="A B" if n % 3 else "A") for n, q in enumerate(questions(8))]
    for size, parts in ((8, 1), (2, 4)):
        student = moved(Student.for_training(tiny_folder, Lora(2), 0, dtype=torch.float32))
        schedule = Schedule(1e-3, 0.0, 0, size, tmp_path, 0, 0, accumulation=parts, bf16=False)
        gradients = Gradients()
        assert sft_round(student, asked, schedule, [gradients]).steps == 1
        found.append(gradients.found)
    assert_same(found[1], found[0])


def likelihood_gradient(student: Student, asked: list[Question], after: str) -> torch.Tensor:
    """The direction of the gradient of the answers' negative log-likelihood, one question at a time."""
    tail = student.tokenizer(after, add_special_tokens=False)["input_ids"]
    for question in asked:
        tokens = student.tokenize(question.prompt, question.choices)
        answer = list(tokens.choice_ids[question.choices.index(question.answer)])
        answer += [] if answer[-1] == tokens.end_id else [tokens.end_id]
        ids = torch.tensor([[*tokens.prompt_ids, *answer, *tail]])
        log_p = student.model(ids).logits[0, :-1].log_softmax(-1)
        told = ids[0, len(tokens.prompt_ids) :]
        (-log_p[-len(told) :].gather(1, told[:, None]).sum()).backward()
    named = student.model.named_parameters()
    return direction({name: weight.grad for name, weight in named if weight.grad is not None})


def direction(gradients: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.cat([gradients[name].flatten() for name in gradients]), dim=0)


@pytest.mark.parametrize(("packed", "after"), [(True, ""), (False, "\n")])
def test_sft_follows_the_gradient_of_the_likelihood_packed_or_not(packed, after, tiny_folder, tmp_path):
    """TRL's rows end with the line break of the chat template as well."""
    asked = [question for question in questions(8) if question.answer == "B"]
    schedule = Schedule(1e-3, 0.0, 0, len(asked), tmp_path, 0, 0, bf16=False)
    student, reference = (
        moved(Student.for_training(tiny_folder, Lora(2), 0, dtype=torch.float32)) for _ in range(2)
    )
    gradients = Gradients()
    if packed:
        rows = training_questions(student, asked, 1.0, 0.1)
        train_round(student.model, student.tokenizer, rows, schedule, LIKELIHOOD, [gradients])
    else:
        sft_round(student, asked, schedule, [gradients])
    cosine = direction(gradients.found) @ likelihood_gradient(reference, asked, after)
    assert float(cosine) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("name", ["sft", "dagger", "sft_grpo"])
def test_a_packed_method_computes_fewer_tokens(name, tiny_folder, tmp_path):
    (_, whole), (_, packed) = (
        distilled(name, configured(tiny_folder, f"distill.packed={flag}"), tmp_path / flag)
        for flag in ("false", "true")
    )
    assert packed.questions == whole.questions and packed.tokens < whole.tokens


def test_grpo_in_parts_has_the_gradient_of_one_batch(tiny_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(rewards, "consistency", letters)
    _, whole, one = grpo(tiny_folder, tmp_path / "one", questions(4), batch_size=16)
    _, parts, two = grpo(tiny_folder, tmp_path / "two", questions(4), batch_size=4, accumulation=4)
    assert one.steps == two.steps == 1 and one.questions == two.questions == 4
    assert_same(parts, whole)


def test_grpo_resumed_in_the_middle_has_the_same_losses(tiny_folder, tmp_path, monkeypatch):
    class Stop(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step == 2:
                raise KeyboardInterrupt

    monkeypatch.setattr(rewards, "consistency", letters)
    logs = [tmp_path / "whole.jsonl", tmp_path / "broken.jsonl"]
    writers = [MetricsWriter(path, 2) for path in logs]
    whole, _, _ = grpo(tiny_folder, tmp_path / "whole", questions(8), [writers[0]], checkpoint_steps=1)
    folder, plan = tmp_path / "broken", {"checkpoint_steps": 1, "resume": True}
    with pytest.raises(KeyboardInterrupt):
        grpo(tiny_folder, folder, questions(8), [writers[1], Stop()], **plan)
    resumed, _, _ = grpo(tiny_folder, folder, questions(8), [writers[1]], seed=5, **plan)
    assert len(read_lines(logs[0])) == 4 and logs[1].read_text() == logs[0].read_text()
    expected = dict(whole.model.named_parameters())
    for name, weight in resumed.model.named_parameters():
        torch.testing.assert_close(weight, expected[name], rtol=0, atol=0)


def test_vllm_is_asked_for_where_it_can_run(tiny_folder, tmp_path, monkeypatch):
    sampling = configured(tiny_folder, "distill.grpo.vllm=true", "device=cpu")
    method = registry.load("methods", "grpo")(sampling, tmp_path)
    with pytest.raises(InputError, match="vLLM samples on a graphics card, and this run is on cpu"):
        method.prepare()
    monkeypatch.setattr(type(method), "device", "cuda")
    with pytest.raises(InputError, match="pip install 'simdistill"):
        method.prepare()
    student = Student.for_training(tiny_folder, Lora(2), 0, dtype=torch.float32)
    schedule = Schedule(1e-3, 0.0, 0, 16, tmp_path, 0, 0, bf16=False)
    for vllm in (False, True):
        settings = GrpoConfig(samples=4, vllm=vllm)
        with quiet():
            arguments = plain.sampling(student, questions(4), 1.0, settings, schedule)["args"]
        assert arguments.use_vllm is vllm


def test_rewards_receive_each_group_whole(tiny_folder, tmp_path, monkeypatch):
    """Four answers to the same question side by side, each with its question's choices and values."""
    asked = [
        replace(q, prompt=[{"role": "user", "content": f"Question {n}."}], values=[float(n), 0.0])
        for n, q in enumerate(questions(4))
    ]
    seen = []

    def watched(completions, prompts, choices, values, **columns):
        rows = zip(completions, prompts, choices, values, columns["scale"], strict=True)
        seen.extend([prompt[-1]["content"], labels, costs, scale] for _, prompt, labels, costs, scale in rows)
        assert all(isinstance(said[-1]["content"], str) for said in completions)
        return [float(number % 3) for number in range(len(completions))]

    monkeypatch.setattr(rewards, "consistency", watched)
    grpo(tiny_folder, tmp_path, asked)
    groups = [[f"Question {n}.", ["A", "B"], [float(n), 0.0], 1.0] for n in range(4)]
    assert seen == [group for group in groups for _ in range(4)]


def test_answers_after_reasoning_are_rewarded_in_training(tiny_folder, tmp_path, monkeypatch):
    """What the trainer hands over is what the reward reads: the samples are real, their texts are given."""
    told = ["Short is good.\nAnswer: A", "B is full\nB", "Answer: B\nas B is empty", "perhaps A"]
    expected = [-0.5, -0.0, -0.0, -0.5 - rewards.PENALTY]
    paid, plain = [], rewards.consistency

    def reasoned(completions, **columns):
        said = [
            [*before[:-1], {"role": "assistant", "content": text}]
            for before, text in zip(completions, told * 2, strict=True)
        ]
        paid.append(plain(said, **columns))
        return paid[-1]

    monkeypatch.setattr(rewards, "consistency", reasoned)
    asked = [replace(question, values=[0.5, 0.0]) for question in questions(2)]
    _, gradients, _ = grpo(tiny_folder, tmp_path, asked)
    assert paid == [expected * 2]
    assert max(float(gradient.abs().max()) for gradient in gradients.values()) > 0


@pytest.mark.parametrize("name", ["simdistill_sampled", "chord", "grpo", "sft_grpo"])
def test_a_student_that_samples_has_the_room_to_reason_that_it_is_given(
    name, tiny_folder, tmp_path, monkeypatch
):
    lengths = []

    def heard(completions, completion_ids, **columns):
        lengths.extend(map(len, completion_ids))
        return letters(completions)

    monkeypatch.setattr(rewards, "consistency", heard)
    distilled(name, configured(tiny_folder, "distill.grpo.answer_tokens=12"), tmp_path)
    assert max(lengths) == 12


def test_an_answer_always_has_room_for_a_choice(tiny_folder, tmp_path):
    student = Student.for_training(tiny_folder, Lora(2), 0, dtype=torch.float32)
    schedule = Schedule(1e-3, 0.0, 0, 16, tmp_path, 0, 0, bf16=False)
    for tokens, room in ((None, 3), (1, 3), (12, 12)):
        settings = GrpoConfig(samples=4, answer_tokens=tokens)
        with quiet():
            arguments = plain.sampling(student, questions(4), 1.0, settings, schedule)["args"]
        assert arguments.max_completion_length == room


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_answers_are_sampled_at_the_temperature_that_is_set(temperature, tiny_folder, tmp_path):
    student = Student.for_training(tiny_folder, Lora(2), 0, dtype=torch.float32)
    schedule = Schedule(1e-3, 0.0, 0, 8, tmp_path, 0, 0, bf16=False)
    settings = GrpoConfig(samples=4, temperature=temperature)
    with quiet():
        arguments = plain.sampling(student, questions(4), 1.0, settings, schedule)
        trainer = plain.PlainGRPOTrainer(student.model, processing_class=student.tokenizer, **arguments)
    assert trainer.generation_config.temperature == trainer.temperature == temperature


@pytest.mark.parametrize(
    ("reward", "share"), [(lambda said, **columns: [-1.0] * len(said), 1.0), (letters, 0.0)]
)
def test_the_log_tells_what_share_of_samples_was_rewarded_alike(
    reward, share, tiny_folder, tmp_path, monkeypatch
):
    monkeypatch.setattr(rewards, "consistency", lambda completions, **columns: reward(completions))
    writer = MetricsWriter(tmp_path / "metrics.jsonl", 2)
    grpo(tiny_folder, tmp_path, questions(2), [writer])
    (line,) = read_lines(tmp_path / "metrics.jsonl")
    assert line["frac_reward_zero_std"] == share
    assert (line["grad_norm"] == 0.0) == (share == 1.0)


def test_a_model_that_never_answers_is_told_with_what_it_says(tiny_folder, tmp_path):
    with pytest.raises(InputError, match="no sampled answer of 20 steps in a row") as error:
        grpo(tiny_folder, tmp_path, questions(25), batch_size=4)
    assert str(error.value).count(", of A, B") == 10


def forced(count: int) -> list[Question]:
    """Decisions with nothing to choose."""
    return [replace(question, choices=["A"], answer="A", values=[0.0]) for question in questions(count)]


def forecasts(count: int) -> list[Question]:
    """Questions for an outcome, which have no values."""
    return [
        replace(question, kind="forecast", values=[], standard_errors=[], probabilities=[0.25, 0.75])
        for question in questions(count)
    ]


def test_targets_of_forecasts_are_marked(tiny_folder):
    learner = Student.load(str(tiny_folder))
    rows = training_questions(learner, [*questions(1), *forecasts(1)], 1.0, 0.1)
    assert collate([row.row() for row in rows])["forecast_Q"].tolist() == [0, 1]


@pytest.mark.parametrize("name", registry.names("methods"))
@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ([], r"questions-0\.parquet has no decisions to learn from; raise teacher\.scenarios"),
        (forecasts(4), r"questions-0\.parquet has no decisions to learn from; raise teacher\.scenarios"),
        (forced(4), r"questions-0\.parquet: none of the 4 decisions has more than one choice"),
        (
            [*forced(4), *forecasts(4)],
            r"questions-0\.parquet: none of the 4 decisions has more than one choice",
        ),
    ],
)
def test_nothing_to_learn_is_told(name, asked, message, tiny_folder, tmp_path):
    save(asked, tmp_path / "training" / "questions-0.parquet")
    with pytest.raises(InputError, match=message):
        distilled(name, configured(tiny_folder), tmp_path)


def test_fewer_questions_than_a_step_answers_are_told(tiny_folder, tmp_path):
    with pytest.raises(InputError, match="a step answers 2 questions, and there are only 1; lower it"):
        grpo(tiny_folder, tmp_path, questions(1))


def rates(name: str, tiny_folder, folder: Path, *overrides: str) -> list[float]:
    method = registry.load("methods", name)(configured(tiny_folder, *overrides), folder)
    method.training.mkdir(parents=True, exist_ok=True)
    return [method.schedule(number).learning_rate for number in range(len(method.stages))]


def test_a_method_has_its_own_learning_rate_unless_one_is_set(tiny_folder, tmp_path):
    own = registry.load("methods", "grpo").learning_rate
    assert rates("grpo", tiny_folder, tmp_path) == [own]
    assert rates("grpo", tiny_folder, tmp_path, "distill.learning_rate=3e-3") == [3e-3]
    assert rates("grpo", tiny_folder, tmp_path, "distill.grpo.learning_rate=2e-3") == [2e-3]
    supervised = registry.load("methods", "sft").learning_rate
    assert rates("sft", tiny_folder, tmp_path) == [supervised] != [own]
    assert rates("sft_grpo", tiny_folder, tmp_path) == [supervised, own]
    assert rates("sft_grpo", tiny_folder, tmp_path, "distill.learning_rate=3e-3") == [3e-3, own]
    assert rates("sft_grpo", tiny_folder, tmp_path, "distill.grpo.learning_rate=2e-3") == [supervised, 2e-3]


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
    method(configured(tiny_folder, f"method={name}"), tmp_path).prepare()
    assert not caplog.messages
    method(configured(tiny_folder, f"method={name}", *WEIGHED), tmp_path).prepare()
    told = [f"method={name} doesn't use {unused}"] if unused else []
    assert caplog.messages == told


@pytest.mark.parametrize("name", registry.names("methods"))
def test_a_method_goes_by_the_weights_it_says(name, tiny_folder, tmp_path):
    """What is made of the settings changes with them, or is said not to."""
    method = registry.load("methods", name)

    def made(*overrides: str) -> list:
        found = method(configured(tiny_folder, *overrides), tmp_path)
        return [getattr(found, part, None) for part in ("weights", "mix", "soft")]

    for override in WEIGHED:
        field = override.removeprefix("distill.").partition("=")[0]
        assert (made(override) != made()) == (field in method.goes_by)


def test_only_certain_answers_stay():
    assert [certain(question) for question in questions(4)] == [False, True, False, True]


def test_no_certain_answer_is_told(tiny_folder, tmp_path):
    method = registry.load("methods", "sft_filtered")(configured(tiny_folder), tmp_path)
    with pytest.raises(InputError, match=r"sure of none of 1 answers; raise teacher\.futures"):
        method.wanted(questions(1))
