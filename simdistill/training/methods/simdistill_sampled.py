"""The project's own method for sampled answers: soft imitation and the simulator's reward in one GRPO step.

`simdistill` computes the expected regret over all choices; this method estimates it from samples. So its
gradient is noisier, but a sampled answer may contain reasoning before "Answer:", up to `method.answer_tokens`
tokens. Demonstrations are labels without reasoning. The examination, too, scores labels alone, so a student
that has learned to reason is examined without its reasoning.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from simdistill.config import DistillConfig
from simdistill.data.question import Question
from simdistill.training.methods.grpo import GRPO
from simdistill.training.sampling import SamplingConfig
from simdistill.training.stages import RoundResult, Stage

if TYPE_CHECKING:
    from transformers import TrainerCallback

    from simdistill.models.student import Student
    from simdistill.training.trainers.sampled import Mix


class SampledSimDistill(GRPO):
    """Imitation of soft targets plus GRPO's reward for sampled answers, in one step."""

    learning_rate = 1e-3
    loss_weights_used = ("imitation", "soft", "regret")

    @property
    def stages(self) -> list[Stage]:
        return [mixed(self.config.distill, self.own)]

    @property
    def mix(self) -> "Mix":
        """Weights of the loss's terms."""
        from simdistill.training.trainers.sampled import Mix

        settings = self.config.distill
        return Mix(settings.regret, settings.imitation, self.own.demonstrations)

    @property
    def soft(self) -> float:
        """Weight of soft targets in demonstrations; the remaining weight is the teacher's choice's."""
        return self.config.distill.soft

    def train(
        self,
        number: int,
        student: "Student",
        questions: Sequence[Question],
        callbacks: list["TrainerCallback"],
    ) -> RoundResult:
        from simdistill.training.targets import targets
        from simdistill.training.trainers.plain import grpo_round
        from simdistill.training.trainers.sampled import SimDistillTrainer, demonstrations

        settings = self.config.distill
        taught = targets(self.config, student, questions[: settings.questions], self.soft)
        answered = questions[: self.own.questions]
        kind = partial(SimDistillTrainer, demonstrations=demonstrations(taught, self.soft), mix=self.mix)
        result = grpo_round(student, answered, self.scales, self.own, self.schedule(number), callbacks, kind)
        return replace(result, questions=result.questions + result.steps * self.mix.per_step)


def mixed(settings: DistillConfig, own: SamplingConfig) -> Stage:
    """Returns a stage that samples and imitates; a step's questions are those of both parts together."""
    return Stage(
        title="train on samples and demonstrations",
        size=max(settings.questions, own.questions),
        batch_size=own.prompts + own.demonstrations,
        forecasts=False,
    )
