"""Supervised fine-tuning, then reinforcement learning: the baseline that mixed methods must beat.

The usual order since Ouyang et al., arXiv 2203.02155; once its bugs are fixed, most methods that mix the two
don't beat it (arXiv 2604.23747).
"""

from collections.abc import Sequence
from dataclasses import replace

from transformers import TrainerCallback

from simdistill.distill.method import Stage
from simdistill.distill.methods.grpo import sampled, train_sampled
from simdistill.distill.methods.sft import SFT
from simdistill.distill.schedule import Schedule
from simdistill.distill.trainers import RoundResult
from simdistill.questions import Question
from simdistill.students import Student


class SFTThenGRPO(SFT):
    """SFT, then GRPO on the same questions."""

    @property
    def stages(self) -> list[Stage]:
        return [*super().stages, sampled(self)]

    def train(
        self, number: int, student: Student, questions: Sequence[Question], callbacks: list[TrainerCallback]
    ) -> RoundResult:
        if number == 0:
            return super().train(number, student, questions, callbacks)
        return train_sampled(self, number, student, questions, callbacks)

    def schedule(self, number: int) -> Schedule:
        """Returns a stage's settings; the first stage's rate falls to zero, and GRPO begins with its own."""
        return replace(
            super().schedule(number), learning_rate=self.config.distill.learning_rate, end_learning_rate=0.0
        )
