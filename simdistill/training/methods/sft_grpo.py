"""Supervised fine-tuning, then reinforcement learning: the baseline that mixed methods must beat.

This order is usual since Ouyang et al., arXiv 2203.02155. Most methods that mix the two don't beat this
baseline once bugs in its implementation are fixed (arXiv 2604.23747).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from simdistill.data.question import Question
from simdistill.training.methods.grpo import GRPO, answers, on_samples, sampled
from simdistill.training.methods.sft import SFT
from simdistill.training.sampling import SamplingConfig
from simdistill.training.schedule import Schedule
from simdistill.training.stages import RoundResult, Stage

if TYPE_CHECKING:
    from transformers import TrainerCallback

    from simdistill.models.student import Student


class SFTThenGRPO(SFT):
    """SFT, then GRPO on new questions, as the student is already sure of its answers to those of SFT."""

    Config = SamplingConfig

    @property
    def own(self) -> SamplingConfig:
        """The method's own fields."""
        return cast(SamplingConfig, self.config.method)

    @property
    def stages(self) -> list[Stage]:
        stage = sampled(self.own)
        if self.own.again:
            return [*super().stages, stage]
        left = self.config.teacher.states - stage.size
        return [*super().stages, replace(stage, first=max(0, min(self.config.distill.questions, left)))]

    def train(
        self,
        number: int,
        student: "Student",
        questions: Sequence[Question],
        callbacks: list["TrainerCallback"],
    ) -> RoundResult:
        from simdistill.training.trainers.plain import grpo_round

        if number == 0:
            return super().train(number, student, questions, callbacks)
        return grpo_round(student, questions, self.scales, self.own, self.schedule(number), callbacks)

    def step(self, number: int) -> int:
        """Returns the number of questions in a step of the first stage, of sampled answers in the second."""
        return answers(self.own) if number else super().step(number)

    def schedule(self, number: int) -> Schedule:
        """Returns a stage's schedule; each stage has its own learning rate, which falls to zero."""
        settings, schedule = self.config.distill, super().schedule(number)
        if number == 0:
            rate = settings.learning_rate or self.learning_rate
            return replace(schedule, learning_rate=rate, end_learning_rate=0.0)
        return on_samples(replace(schedule, learning_rate=GRPO.learning_rate), self.own)
