"""What a student is held to: a language model's probabilities where one teaches, else simulated values."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from simdistill.config import RunConfig
from simdistill.data.question import Question
from simdistill.models.student import Student
from simdistill.teachers.loading import answers_itself
from simdistill.training.trainers.batch import TrainingQuestion, training_questions

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
    scales = {task.name: task.scale for task in config.tasks}
    rows = training_questions(student, questions, scales, config.distill.temperature)
    if not answers_itself(config.teacher.name):
        return rows
    taught = [question.teacher_C if question.decides else None for question in questions]
    silent = sum(question.decides and question.teacher_C is None for question in questions)
    if silent:
        if soft:
            log.warning(
                "%s doesn't tell its probabilities for %d of %d questions: all are taught as hard labels",
                config.teacher.model,
                silent,
                len(questions),
            )
        taught = [question.answer_C if question.decides else None for question in questions]
    return [
        row if soft_C is None else replace(row, soft_C=tuple(soft_C))
        for row, soft_C in zip(rows, taught, strict=True)
    ]
