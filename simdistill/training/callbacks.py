"""Callbacks of a trainer: one writes its log, one shows progress and scores validation questions."""

import json
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from simdistill.data.question import Question
from simdistill.files import read_lines, write_lines
from simdistill.models.device import quiet
from simdistill.models.student import Student
from simdistill.training.clock import Clock
from simdistill.training.measures import MEASURES, measures_of_kinds, question_kinds


class MetricsWriter(TrainerCallback):
    """Appends each log to a file of JSON lines, with the step, the stage, and questions and tokens so far.

    After an interruption, lines of steps that will be trained again are removed.

    Args:
        path: File `metrics.jsonl`.
        questions_per_step: Number of questions in one optimizer step.
        round: Number of the stage, 0 for the first.
        first_step: Number of optimizer steps of earlier stages.
        first_question: Number of questions of earlier stages.
        first_token: Number of token positions computed in earlier stages.
    """

    def __init__(
        self,
        path: Path,
        questions_per_step: int,
        round: int = 0,
        first_step: int = 0,
        first_question: int = 0,
        first_token: int = 0,
    ):
        self.path = path
        self.kept = {*MEASURES, *chain(*measures_of_kinds(question_kinds()).values())}
        self.questions_per_step, self.round = questions_per_step, round
        self.first_step, self.first_question, self.first_token = first_step, first_question, first_token

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs):
        """Removes lines that will be written again."""
        if self.path.exists():
            known = self.first_step + state.global_step
            write_lines(self.path, [row for row in read_lines(self.path) if row["step"] <= known])

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs=None, **kwargs
    ):
        """Appends one line with the kept numbers of a training log."""
        if not logs or "loss" not in logs:
            return
        self.write(state, {name: value for name, value in logs.items() if name in self.kept})

    def write(self, state: TrainerState, found: dict[str, float]) -> None:
        """Appends one line with numbers that were found at the end of a step."""
        row = {
            "step": self.first_step + state.global_step,
            "round": self.round,
            "questions": self.first_question + state.global_step * self.questions_per_step,
            "tokens": self.first_token + int(state.num_input_tokens_seen),
            **found,
        }
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")


class Watch(TrainerCallback):
    """Shows progress, and scores the student on the validation questions at regular steps.

    Args:
        student: The student in training.
        validation: Held-out decision questions.
        every: Number of optimizer steps between two validations.
        dtype: Floating-point type of training.
        writer: Writer of the learning curve.
        clock: Clock of training time; it is paused during validation.
        phase: The stage's name.
        progress: Called with the stage's name, the step and the number of steps.
    """

    def __init__(
        self,
        student: Student,
        validation: Sequence[Question],
        every: int,
        dtype: torch.dtype,
        writer: MetricsWriter,
        clock: Clock,
        phase: str,
        progress: Callable[[str, int, int], None],
    ):
        self.student, self.validation, self.every, self.dtype = student, validation, every, dtype
        self.writer, self.clock, self.phase, self.progress = writer, clock, phase, progress

    def on_train_begin(self, args, state, control, **kwargs):
        """Shows that training begins, and resets the clock to the step from which it continues."""
        self.progress(self.phase, state.global_step, state.max_steps)
        self.clock.back_to(self.writer.first_step + state.global_step)

    def on_step_end(self, args, state, control, **kwargs):
        """Records the step's time, then shows progress and validates while the clock is paused."""
        self.clock.note(self.writer.first_step + state.global_step)
        with self.clock.paused():
            self.progress(self.phase, state.global_step, state.max_steps)
            last = state.global_step == state.max_steps
            if self.validation and (last or state.global_step % self.every == 0):
                self._validate(state)

    def _validate(self, state: TrainerState) -> None:
        student = self.student
        student.forget()
        bf16 = self.dtype == torch.bfloat16
        with quiet(), torch.autocast(student.model.device.type, torch.bfloat16, enabled=bf16):
            answers = student.score(self.validation)
        answered = list(zip(self.validation, answers, strict=True))
        regret_Q = [
            question.score(np.eye(len(question.choices))[answer.choice]) for question, answer in answered
        ]
        agree_Q = [question.choices[answer.choice] == question.answer for question, answer in answered]
        found = {
            "validation_regret": float(np.mean(regret_Q)),
            "validation_agreement": float(np.mean(agree_Q)),
            "validation_validity": float(np.mean([answer.mass for answer in answers])),
        }
        self.writer.write(state, found)
