"""What a student is held to: a language model's probabilities where one teaches, else simulated values."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from simdistill.config import RunConfig
from simdistill.data.question import Question
from simdistill.models.student import Student
from simdistill.teachers.loading import answers_itself
from simdistill.training.trainers.exact import TrainingQuestion, training_questions

log = logging.getLogger(__name__)


def targets(
    config: RunConfig, student: Student, questions: Sequence[Question], soft: float
) -> list[TrainingQuestion]:
    """Gives questions their targets. Regrets are the simulator's, whoever teaches.

    Args:
        config: The run.
        student: Whose tokens they are.
        questions: Decisions with values, and forecasts.
        soft: Share of soft targets in what is learned; without any, it isn't said that a teacher tells none.
    """
    rows = training_questions(student, questions, config.task.scale, config.distill.temperature)
    if not answers_itself(config.teacher.name):
        return rows
    told = [question.probabilities or question.teacher_probabilities for question in questions]
    silent = sum(probabilities_C is None for probabilities_C in told)
    if silent:
        if soft:
            log.warning(
                "%s doesn't tell its probabilities for %d of %d questions: all are taught as hard labels",
                config.teacher.model,
                silent,
                len(questions),
            )
        hard = [np.eye(len(row.regret_C))[row.hard].tolist() for row in rows]
        told = [question.probabilities or one for question, one in zip(questions, hard, strict=True)]
    return [
        replace(row, soft_C=tuple(probabilities_C or ()))
        for row, probabilities_C in zip(rows, told, strict=True)
    ]
