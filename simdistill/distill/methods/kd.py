"""Distillation of soft targets: forward KL to the teacher's probabilities over the choices.

Hinton, Vinyals and Dean, arXiv 1503.02531. A language model teaches its own probabilities; any other teacher,
in place of logits, what choices cost in simulation.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from simdistill.distill.losses import Weights
from simdistill.distill.method import Stage
from simdistill.distill.methods.simdistill import SimDistill
from simdistill.distill.trainers import TrainingQuestion
from simdistill.questions import Question
from simdistill.students import Student

log = logging.getLogger(__name__)


class KD(SimDistill):
    """Forward KL to soft targets: a language model's, else a softmax of simulated values."""

    goes_by = ()

    @property
    def stages(self) -> list[Stage]:
        settings = self.config.distill
        return [Stage("train", settings.questions, settings.batch_size)]

    @property
    def weights(self) -> Weights:
        return Weights(imitation=1.0, soft=1.0, regret=0.0, validity=1.0)

    def rows(self, student: Student, questions: Sequence[Question]) -> list[TrainingQuestion]:
        rows = super().rows(student, questions)
        teacher = self.config.teacher
        if not teacher.is_language_model:
            return rows
        told = [question.probabilities or question.teacher_probabilities for question in questions]
        silent = sum(probabilities_C is None for probabilities_C in told)
        if silent:
            log.warning(
                "%s doesn't tell its probabilities for %d of %d questions: all are taught as hard labels",
                teacher.model,
                silent,
                len(questions),
            )
            hard = [np.eye(len(row.regret_C))[row.hard].tolist() for row in rows]
            told = [question.probabilities or one for question, one in zip(questions, hard, strict=True)]
        return [
            replace(row, soft_C=tuple(probabilities_C or ()))
            for row, probabilities_C in zip(rows, told, strict=True)
        ]
