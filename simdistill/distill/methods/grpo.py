"""Reinforcement learning on sampled answers, rewarded by what the simulator says about them.

GRPO (Shao et al., DeepSeekMath, arXiv 2402.03300) without division by a group's deviation or by length
(Dr. GRPO, Liu et al., arXiv 2503.20783), which would erase how much a choice matters.
"""

from collections.abc import Sequence
from dataclasses import replace

from transformers import TrainerCallback

from simdistill.distill.method import Method, Stage
from simdistill.distill.plain import grpo_round
from simdistill.distill.trainers import RoundResult
from simdistill.questions import Question
from simdistill.students import Student


class GRPO(Method):
    """Simulator-consistency reward on sampled answers, with TRL's own trainer."""

    @property
    def stages(self) -> list[Stage]:
        return [sampled(self)]

    def train(
        self, number: int, student: Student, questions: Sequence[Question], callbacks: list[TrainerCallback]
    ) -> RoundResult:
        return train_sampled(self, number, student, questions, callbacks)


def train_sampled(
    method: Method,
    number: int,
    student: Student,
    questions: Sequence[Question],
    callbacks: list[TrainerCallback],
) -> RoundResult:
    """Trains a stage of any method by GRPO, with the learning rate and sizes that GRPO has of its own."""
    grpo = method.config.distill.grpo
    schedule = replace(
        method.schedule(number),
        learning_rate=grpo.learning_rate,
        end_learning_rate=0.0,
        warmup_steps=0,
        batch_size=grpo.prompts * grpo.samples,
    )
    return grpo_round(student, questions, method.config.task.scale, grpo.samples, schedule, callbacks)


def sampled(method: Method) -> Stage:
    """Returns a stage of GRPO; without forecasts, as a reward is for what costs little."""
    grpo = method.config.distill.grpo
    return Stage("train on sampled answers", grpo.questions, grpo.prompts, forecasts=False)
