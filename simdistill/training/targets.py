"""Training targets: a teacher language model's probabilities if there is one, else from simulated costs."""

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
    """Tokenizes questions and adds their targets. Regrets come from the simulator, whatever the teacher.

    Args:
        config: Configuration of the run.
        student: The student, whose tokenizer is used.
        questions: Decisions with simulated costs, and forecasts.
        soft: Weight of the soft targets. Only if it isn't 0, a warning says that a teacher gave no
            probabilities.
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
                "%s gave no probabilities for %d of %d questions, so its answers to all of them are used as "
                "hard labels",
                config.teacher.model,
                silent,
                len(questions),
            )
        taught = [question.answer_C if question.decides else None for question in questions]
    return [
        row if soft_C is None else replace(row, soft_C=tuple(soft_C))
        for row, soft_C in zip(rows, taught, strict=True)
    ]
