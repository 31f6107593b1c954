"""TRL's own trainers on questions: gradients, resumption, what is sampled and rewarded."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback

from simdistill import rewards
from simdistill.data.question import Question
from simdistill.errors import InputError
from simdistill.files import read_lines
from simdistill.models.device import quiet
from simdistill.models.lora import Lora
from simdistill.models.student import Student
from simdistill.training.callbacks import MetricsWriter
from simdistill.training.methods.sft import LIKELIHOOD
from simdistill.training.sampling import SamplingConfig
from simdistill.training.schedule import Schedule
from simdistill.training.trainers import plain
from simdistill.training.trainers.batch import training_questions
from simdistill.training.trainers.exact import train_round
from simdistill.training.trainers.plain import grpo_round, sft_round


class Gradients(TrainerCallback):
    """Keeps the gradients of the first optimizer step."""

    def __init__(self):
        self.found = {}

    def on_pre_optimizer_step(self, args, state, control, **kwargs):
        if not self.found:
            named = kwargs["model"].named_parameters()
            self.found = {name: weight.grad.clone() for name, weight in named if weight.requires_grad}


def moved(student: Student) -> Student:
    """A student whose adapter isn't zero, so that every weight of it has a gradient."""
    torch.manual_seed(0)
    for name, weight in student.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    return student


def grpo(
    tiny_folder,
    folder: Path,
    asked: list[Question],
    callbacks=(),
    seed: int = 0,
    reward: Any = None,
    **changes,
):
    """Trains by GRPO, four answers a question; returns the student and the gradients of the first step."""
    gradients = Gradients()
    student = moved(Student.for_training(tiny_folder, Lora(2), seed, dtype=torch.float32))
    schedule = replace(Schedule(1e-3, 0.0, 0, 8, folder, 0, 0, bf16=False), **changes)
    settings, watching = SamplingConfig(samples=4), [gradients, *callbacks]
    result = grpo_round(student, asked, {"queueing": 1.0}, settings, schedule, watching, reward=reward)
    return student, gradients.found, result


def assert_same(found, expected):
    assert max(float(gradient.abs().max()) for gradient in expected.values()) > 1e-3
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-5)


def letters(completions, **columns) -> list[float]:
    """A reward that differs between the babbled answers of a model that knows nothing."""
    return [sum(map(ord, said[-1]["content"])) % 7 / 7 for said in completions]


def test_sft_in_parts_has_the_gradient_of_one_batch(tiny_folder, tmp_path, shorter_queue):
    found = []
    asked = [replace(q, answer="A B" if n % 3 else "A") for n, q in enumerate(shorter_queue[:8])]
    for size, parts in ((8, 1), (2, 4)):
        student = moved(Student.for_training(tiny_folder, Lora(2), 0, dtype=torch.float32))
        schedule = Schedule(1e-3, 0.0, 0, size, tmp_path, 0, 0, accumulation=parts, bf16=False)
        gradients = Gradients()
        assert sft_round(student, asked, schedule, [gradients]).steps == 1
        found.append(gradients.found)
    assert_same(found[1], found[0])


def test_a_training_as_short_as_its_warm_up_goes_to_its_end(tiny_folder, tmp_path, shorter_queue):
    student = Student.for_training(tiny_folder, Lora(2), 0, dtype=torch.float32)
    schedule = Schedule(1e-3, 0.0, 2, 4, tmp_path, 0, 0, bf16=False)
    assert sft_round(student, shorter_queue[:8], schedule).steps == 2


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
def test_sft_follows_the_gradient_of_the_likelihood_packed_or_not(
    packed, after, tiny_folder, tmp_path, shorter_queue
):
    """TRL's rows end with the line break of the chat template as well."""
    asked = [question for question in shorter_queue[:8] if question.answer == "B"]
    schedule = Schedule(1e-3, 0.0, 0, len(asked), tmp_path, 0, 0, bf16=False)
    student, reference = (
        moved(Student.for_training(tiny_folder, Lora(2), 0, dtype=torch.float32)) for _ in range(2)
    )
    gradients = Gradients()
    if packed:
        rows = training_questions(student, asked, {"queueing": 1.0}, 0.1)
        train_round(student.model, student.tokenizer, rows, schedule, LIKELIHOOD, [gradients])
    else:
        sft_round(student, asked, schedule, [gradients])
    cosine = direction(gradients.found) @ likelihood_gradient(reference, asked, after)
    assert float(cosine) == pytest.approx(1.0, abs=1e-5)


def test_grpo_in_parts_has_the_gradient_of_one_batch(tiny_folder, tmp_path, shorter_queue):
    asked = shorter_queue[:4]
    in_parts: dict[str, Any] = {"batch_size": 4, "accumulation": 4}
    _, whole, one = grpo(tiny_folder, tmp_path / "one", asked, reward=letters, batch_size=16)
    _, parts, two = grpo(tiny_folder, tmp_path / "two", asked, reward=letters, **in_parts)
    assert one.steps == two.steps == 1 and one.questions == two.questions == 4
    assert_same(parts, whole)


def test_grpo_resumed_in_the_middle_has_the_same_losses(tiny_folder, tmp_path, shorter_queue):
    class Stop(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step == 2:
                raise KeyboardInterrupt

    logs = [tmp_path / "whole.jsonl", tmp_path / "broken.jsonl"]
    writers = [MetricsWriter(path, 2) for path in logs]
    kept: dict[str, Any] = {"checkpoint_steps": 1, "reward": letters}
    whole, _, _ = grpo(tiny_folder, tmp_path / "whole", shorter_queue[:8], [writers[0]], **kept)
    folder, plan = tmp_path / "broken", kept | {"resume": True}
    with pytest.raises(KeyboardInterrupt):
        grpo(tiny_folder, folder, shorter_queue[:8], [writers[1], Stop()], **plan)
    resumed, _, _ = grpo(tiny_folder, folder, shorter_queue[:8], [writers[1]], seed=5, **plan)
    assert len(read_lines(logs[0])) == 4 and logs[1].read_text() == logs[0].read_text()
    expected = dict(whole.model.named_parameters())
    for name, weight in resumed.model.named_parameters():
        torch.testing.assert_close(weight, expected[name], rtol=0, atol=0)


def test_rewards_receive_each_group_whole(tiny_folder, tmp_path, shorter_queue):
    """Four answers to the same question side by side, each with its question's choices and values."""
    asked = [
        replace(q, prompt=[{"role": "user", "content": f"Question {n}."}], values=[float(n), 0.0])
        for n, q in enumerate(shorter_queue[:4])
    ]
    seen = []

    def watched(completions, prompts, choices, values, **columns):
        rows = zip(completions, prompts, choices, values, columns["scale"], strict=True)
        seen.extend([prompt[-1]["content"], labels, costs, scale] for _, prompt, labels, costs, scale in rows)
        assert all(isinstance(said[-1]["content"], str) for said in completions)
        return [float(number % 3) for number in range(len(completions))]

    grpo(tiny_folder, tmp_path, asked, reward=watched)
    groups = [[f"Question {n}.", ["A", "B"], [float(n), 0.0], 1.0] for n in range(4)]
    assert seen == [group for group in groups for _ in range(4)]


def test_answers_after_reasoning_are_rewarded_in_training(tiny_folder, tmp_path, shorter_queue):
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

    asked = [replace(question, values=[0.5, 0.0]) for question in shorter_queue[:2]]
    _, gradients, _ = grpo(tiny_folder, tmp_path, asked, reward=reasoned)
    assert paid == [expected * 2]
    assert max(float(gradient.abs().max()) for gradient in gradients.values()) > 0


def test_an_answer_always_has_room_for_a_choice(tiny_folder, tmp_path, shorter_queue):
    student = Student.for_training(tiny_folder, Lora(2), 0, dtype=torch.float32)
    schedule = Schedule(1e-3, 0.0, 0, 16, tmp_path, 0, 0, bf16=False)
    for tokens, room in ((None, 3), (1, 3), (12, 12)):
        settings = SamplingConfig(samples=4, answer_tokens=tokens)
        with quiet():
            arguments = plain.sampling(student, shorter_queue[:4], {"queueing": 1.0}, settings, schedule)[
                "args"
            ]
        assert arguments.max_completion_length == room


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_answers_are_sampled_at_the_temperature_that_is_set(
    temperature, tiny_folder, tmp_path, shorter_queue
):
    student = Student.for_training(tiny_folder, Lora(2), 0, dtype=torch.float32)
    schedule = Schedule(1e-3, 0.0, 0, 8, tmp_path, 0, 0, bf16=False)
    settings = SamplingConfig(samples=4, temperature=temperature)
    with quiet():
        arguments = plain.sampling(student, shorter_queue[:4], {"queueing": 1.0}, settings, schedule)
        trainer = plain.PlainGRPOTrainer(student.model, processing_class=student.tokenizer, **arguments)
    assert trainer.generation_config.temperature == trainer.temperature == temperature


@pytest.mark.parametrize(
    ("reward", "share"), [(lambda completions, **columns: [-1.0] * len(completions), 1.0), (letters, 0.0)]
)
def test_the_log_tells_what_share_of_samples_was_rewarded_alike(
    reward, share, tiny_folder, tmp_path, shorter_queue
):
    writer = MetricsWriter(tmp_path / "metrics.jsonl", 2)
    grpo(tiny_folder, tmp_path, shorter_queue[:2], [writer], reward=reward)
    (line,) = read_lines(tmp_path / "metrics.jsonl")
    assert line["frac_reward_zero_std"] == share
    assert (line["grad_norm"] == 0.0) == (share == 1.0)


def test_a_model_that_never_answers_is_told_with_what_it_says(tiny_folder, tmp_path, shorter_queue):
    with pytest.raises(InputError, match="no sampled answer of 20 steps in a row") as error:
        grpo(tiny_folder, tmp_path, shorter_queue[:25], batch_size=4)
    assert str(error.value).count(", of A, B") == 10


def test_fewer_questions_than_a_step_answers_are_told(tiny_folder, tmp_path, shorter_queue):
    with pytest.raises(InputError, match="a step needs 2 questions, but there are only 1; lower"):
        grpo(tiny_folder, tmp_path, shorter_queue[:1])
