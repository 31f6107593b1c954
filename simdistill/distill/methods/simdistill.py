"""Ours: imitation, exact expected regret and validity; states move from the teacher's to the student's.

Later rounds learn from states that the student itself visits, labelled by the simulator (Ross, Gordon and
Bagnell: DAgger, AISTATS 2011; with costs in place of labels: Ross and Bagnell, AggreVaTe, arXiv 1406.5979).
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from transformers import TrainerCallback

from simdistill.config import RunConfig
from simdistill.distill.losses import Weights, soft_targets
from simdistill.distill.trainers import MetricsWriter, RoundResult, TrainingQuestion, train_round
from simdistill.files import read_json, write_json
from simdistill.questions import Question, load, save
from simdistill.students import Lora, Student, faster_dtype, quiet, release_memory

Collect = Callable[[int, Student], list[Question]]
"""Round and student -> questions on states of the student's own rollouts."""

Progress = Callable[[str, int, int], None]

TUNE_EVERY = 25


@dataclass(frozen=True)
class Distilled:
    """What distillation has cost.

    Attributes:
        questions: Questions trained on.
        tokens: Positions computed in training.
    """

    questions: int
    tokens: int


def training_questions(
    student: Student, questions: Sequence[Question], config: RunConfig
) -> list[TrainingQuestion]:
    """Gives questions their targets: the teacher's choice, its soft targets, and scaled regrets."""
    scale, temperature = config.task.scale, config.distill.temperature
    rows = []
    for question in questions:
        values_C = np.array(question.values)
        soft_C = soft_targets(values_C, np.array(question.standard_errors), temperature, scale)
        rows.append(
            TrainingQuestion(
                question=student.tokenize(question.prompt, question.choices),
                hard=question.choices.index(question.answer),
                soft_C=tuple(soft_C.tolist()),
                regret_C=tuple((values_C / scale).tolist()),
            )
        )
    return rows


class SimDistill:
    """Imitation plus exact simulator consistency, with later rounds on the student's own states.

    Args:
        config: The run.
        folder: The run's folder; rounds, checkpoints and adapters are kept in its `training/`.
    """

    def __init__(self, config: RunConfig, folder: Path):
        self.config, self.folder = config, folder
        self.training = folder / "training"

    def __call__(
        self, tune: Sequence[Question], collect: Collect, card: str, progress: Progress
    ) -> Distilled:
        """Trains round after round; finished rounds of a stopped run are not done again.

        Args:
            tune: Held-out questions for the learning curve.
            collect: Finds and labels states of the student's own rollouts.
            card: The adapter's model card.
            progress: Called with a phase, how much is done and how much there is.

        Returns:
            What it has cost. The adapter of the last round is in `training/`.
        """
        results = [
            self._round(number, tune, collect, card, progress)
            for number in range(self.config.distill.rounds + 1)
        ]
        return Distilled(sum(r.questions for r in results), sum(r.tokens for r in results))

    def adapter(self, number: int) -> Path:
        """Returns the folder of a round's adapter."""
        return self.training / f"adapter-{number}"

    def _round(
        self, number: int, tune: Sequence[Question], collect: Collect, card: str, progress: Progress
    ) -> RoundResult:
        done = self.training / f"round-{number}.json"
        if done.exists():
            return RoundResult(**read_json(done))
        release_memory()
        questions = self._questions(number, collect)
        release_memory()
        settings, student_config = self.config.distill, self.config.student
        before = sum(self._sizes()[:number])
        total = sum(self._sizes())
        lora = student_config.lora
        student = Student.for_training(
            student_config.name,
            Lora(lora.r, lora.alpha, _frozen(lora.targets), lora.layers),
            self.config.seed,
            self.adapter(number - 1) if number else None,
            self.dtype,
        )
        rows = training_questions(student, questions, self.config)
        steps_before = sum(-(-size // settings.batch_size) for size in self._sizes()[:number])
        writer = MetricsWriter(
            self.folder / "metrics.jsonl", settings.batch_size, first_step=steps_before, first_question=before
        )
        result = train_round(
            student.model,
            student.tokenizer,
            rows,
            weights=Weights(settings.imitation, settings.soft, settings.regret, settings.validity),
            # One straight line to zero over all rounds.
            learning_rate=settings.learning_rate * (1 - before / total),
            end_learning_rate=settings.learning_rate * (1 - (before + len(rows)) / total),
            warmup_steps=0 if number else settings.warmup_steps,
            batch_size=settings.batch_size,
            output_dir=self.training / f"checkpoints-{number}",
            seed=self.config.seed,
            checkpoint_steps=settings.checkpoint_steps,
            bf16=self.dtype == torch.bfloat16,
            callbacks=[writer, Watch(student, tune, self.dtype, writer, number, progress)],
            resume=True,
        )
        student.save_adapter(self.adapter(number), card)
        write_json(
            done,
            {
                "steps": result.steps,
                "questions": result.questions,
                "tokens": result.tokens,
                "loss": result.loss,
            },
        )
        return result

    @cached_property
    def dtype(self) -> torch.dtype:
        """Arithmetic of training; a resumed run keeps what it began with."""
        chosen = self.training / "dtype.json"
        if not chosen.exists():
            wanted = self.config.student.dtype
            dtype = faster_dtype() if wanted == "auto" else getattr(torch, wanted)
            write_json(chosen, str(dtype).removeprefix("torch."))
        return getattr(torch, read_json(chosen))

    def _sizes(self) -> list[int]:
        """Returns the planned number of questions of each round."""
        settings = self.config.distill
        return [settings.questions] + [settings.round_questions] * settings.rounds

    def _questions(self, number: int, collect: Collect) -> list[Question]:
        path = self.training / f"questions-{number}.parquet"
        if not path.exists():
            student = Student.load(self.config.student.name, self.adapter(number - 1))
            save(collect(number, student)[: self._sizes()[number]], path)
        return load(path)[: self._sizes()[number]]


class Watch(TrainerCallback):
    """Shows progress, and asks the held-out questions now and then.

    Args:
        student: In training.
        tune: Held-out questions.
        dtype: Arithmetic of training.
        writer: Knows where the learning curve is written, and what came before this round.
        number: The round.
        progress: Shows how far it is.
    """

    def __init__(
        self,
        student: Student,
        tune: Sequence[Question],
        dtype: torch.dtype,
        writer: MetricsWriter,
        number: int,
        progress: Progress,
    ):
        self.student, self.tune, self.dtype, self.writer = student, tune, dtype, writer
        self.phase = "train" if number == 0 else f"train, round {number} on its own states"
        self.progress = progress

    def on_step_end(self, args, state, control, **kwargs):
        """Counts the step."""
        self.progress(self.phase, state.global_step, state.max_steps)
        if self.tune and (state.global_step % TUNE_EVERY == 0 or state.global_step == state.max_steps):
            self._examine(state)

    def _examine(self, state) -> None:
        student = self.student
        student.forget()
        bf16 = self.dtype == torch.bfloat16
        with quiet(), torch.autocast(student.model.device.type, torch.bfloat16, enabled=bf16):
            answers = student.score(self.tune)
        regret_Q = [
            question.values[answer.choice] for question, answer in zip(self.tune, answers, strict=True)
        ]
        agree_Q = [
            question.choices[answer.choice] == question.answer
            for question, answer in zip(self.tune, answers, strict=True)
        ]
        row = {
            "step": self.writer.first_step + state.global_step,
            "questions": self.writer.first_question + state.global_step * self.writer.questions_per_step,
            "tune_regret": float(np.mean(regret_Q)),
            "tune_agreement": float(np.mean(agree_Q)),
            "tune_validity": float(np.mean([answer.mass for answer in answers])),
        }
        with self.writer.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")


def _frozen(targets: str | list[str]) -> str | tuple[str, ...]:
    return targets if isinstance(targets, str) else tuple(targets)
