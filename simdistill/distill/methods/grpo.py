"""Reinforcement learning on sampled answers, rewarded by what the simulator says about them.

GRPO (Shao et al., DeepSeekMath, arXiv 2402.03300) without division by a group's deviation or by length
(Dr. GRPO, Liu et al., arXiv 2503.20783), which would erase how much a choice matters.
"""

from collections.abc import Sequence

import torch
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
        settings = self.config.distill
        return grpo_round(
            student,
            questions,
            scale=self.config.task.scale,
            learning_rate=settings.grpo.learning_rate,
            prompts=settings.grpo.prompts,
            samples=settings.grpo.samples,
            output_dir=self.training / f"checkpoints-{number}",
            seed=self.config.seed,
            checkpoint_steps=settings.checkpoint_steps,
            bf16=self.dtype == torch.bfloat16,
            callbacks=callbacks,
        )


def sampled(method: Method) -> Stage:
    """Returns a stage of GRPO."""
    grpo = method.config.distill.grpo
    return Stage("train on sampled answers", grpo.questions, grpo.prompts)
