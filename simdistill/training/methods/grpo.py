"""Reinforcement learning on sampled answers, whose rewards come from the simulator's costs.

GRPO (Shao et al., DeepSeekMath, arXiv 2402.03300) without division by a group's standard deviation or by
length (Dr. GRPO, Liu et al., arXiv 2503.20783). These divisions would erase how much a choice matters.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, cast

from simdistill.data.question import Question
from simdistill.training.method import Method
from simdistill.training.sampling import SamplingConfig
from simdistill.training.schedule import Schedule
from simdistill.training.stages import RoundResult, Stage

if TYPE_CHECKING:
    from transformers import TrainerCallback

    from simdistill.models.student import Student


class GRPO(Method):
    """GRPO with the simulator-consistency reward on sampled answers, by TRL's own trainer."""

    Config: ClassVar[type[SamplingConfig]] = SamplingConfig
    learning_rate = 1e-4
    loss_weights_used = ()

    @property
    def own(self) -> SamplingConfig:
        """The method's own fields."""
        return cast(SamplingConfig, self.config.method)

    @property
    def stages(self) -> list[Stage]:
        return [sampled(self.own)]

    def train(
        self,
        number: int,
        student: "Student",
        questions: Sequence[Question],
        callbacks: list["TrainerCallback"],
    ) -> RoundResult:
        from simdistill.training.trainers.plain import grpo_round

        return grpo_round(student, questions, self.scales, self.own, self.schedule(number), callbacks)

    def step(self, number: int) -> int:
        """Returns the number of answers sampled in an optimizer step."""
        return answers(self.own)

    def schedule(self, number: int) -> Schedule:
        """Returns a stage's schedule, in which the rows of a batch are sampled answers."""
        return on_samples(super().schedule(number), self.own)


def on_samples(schedule: Schedule, settings: SamplingConfig) -> Schedule:
    """Returns a schedule for sampled answers: without warm-up, and with `settings.learning_rate` if set."""
    return replace(
        schedule,
        learning_rate=settings.learning_rate or schedule.learning_rate,
        end_learning_rate=0.0,
        warmup_steps=0,
    )


def answers(settings: SamplingConfig) -> int:
    """Returns the number of answers sampled in an optimizer step."""
    return settings.prompts * settings.samples


def sampled(settings: SamplingConfig) -> Stage:
    """Returns a stage of GRPO; it has no forecasts, as only decisions have costs to compute rewards from."""
    return Stage("train on sampled answers", settings.questions, settings.prompts, forecasts=False)
