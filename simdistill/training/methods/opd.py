"""On-policy distillation: a teacher language model's probabilities on the student's sampled answers.

Generalised knowledge distillation (Agarwal et al., GKD, arXiv 2306.13649; with the reverse KL alone, Lu and
Thinking Machines Lab, On-Policy Distillation, 2025), by TRL's DistillationTrainer. A stage of `kd` comes
first, because a student that never answers with a choice would only learn about irrelevant text.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, cast

from pydantic import Field

from simdistill.config import MethodConfig
from simdistill.config.section import Count
from simdistill.data.question import Question
from simdistill.models.choice_model import Asked
from simdistill.training.methods.kd import KD
from simdistill.training.schedule import Schedule
from simdistill.training.stages import RoundResult, Stage

if TYPE_CHECKING:
    from transformers import TrainerCallback

    from simdistill.models.student import Student


class OPDConfig(MethodConfig):
    """Settings of distillation on the student's own answers."""

    formerly: ClassVar[str | None] = "distill.opd"

    questions: Count = Field(default=480, description="number of questions of the second stage")
    prompts: Count = Field(default=16, description="number of questions in an optimizer step")
    divergence: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="1: reverse KL, which seeks the teacher's likeliest answer; 0: forward KL, which "
        "covers all answers; between: generalised Jensen-Shannon",
    )
    learning_rate: float = Field(
        default=1e-4, gt=0, le=1, description="initial learning rate, which decays to zero"
    )


class OPD(KD):
    """KD, then (by default) reverse KL to a teacher language model on sampled answers, by TRL's trainer."""

    Config = OPDConfig
    learns_from = "probabilities"

    @property
    def own(self) -> OPDConfig:
        """The method's own fields."""
        return cast(OPDConfig, self.config.method)

    def check_models(self, student: "Student", asked: Sequence[Asked]) -> None:
        from simdistill.training.teacher_model import teacher_model
        from simdistill.training.trainers.on_policy import check_same_logits

        super().check_models(student, asked)
        check_same_logits(student, teacher_model(self.config, student))

    @property
    def stages(self) -> list[Stage]:
        opd = self.own
        return [*super().stages, Stage("train on its own answers", opd.questions, opd.prompts)]

    def train(
        self,
        number: int,
        student: "Student",
        questions: Sequence[Question],
        callbacks: list["TrainerCallback"],
    ) -> RoundResult:
        from simdistill.training.teacher_model import teacher_model
        from simdistill.training.trainers.on_policy import opd_round

        if number == 0:
            return super().train(number, student, questions, callbacks)
        teacher = teacher_model(self.config, student)
        teacher.model.to(self.dtype)  # type: ignore[arg-type]
        divergence = self.own.divergence
        return opd_round(student, teacher, questions, divergence, self.schedule(number), callbacks)

    def schedule(self, number: int) -> Schedule:
        """Returns a stage's schedule; each stage has its own learning rate, which falls to zero."""
        settings, opd, schedule = self.config.distill, self.own, super().schedule(number)
        if number == 0:
            rate = settings.learning_rate or self.learning_rate
            return replace(schedule, learning_rate=rate, end_learning_rate=0.0)
        return replace(schedule, learning_rate=opd.learning_rate, end_learning_rate=0.0)
