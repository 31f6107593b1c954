"""Supervised fine-tuning on the teacher's answers, by TRL's unmodified SFTTrainer or in packed batches.

Behaviour cloning (Pomerleau, ALVINN, NeurIPS 1988) with the cross-entropy of the answer's tokens, as in the
first step of Ouyang et al., arXiv 2203.02155.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simdistill.data.question import Question
from simdistill.training.method import Method
from simdistill.training.stages import RoundResult, Stage
from simdistill.training.weights import Weights

if TYPE_CHECKING:
    from transformers import TrainerCallback

    from simdistill.models.student import Student

LIKELIHOOD = Weights(imitation=1.0, soft=0.0, regret=0.0, validity=1.0)
"""With these weights the exact loss is the negative log-likelihood of the answer."""


class SFT(Method):
    """Cross-entropy on the teacher's answers, by TRL's own trainer unless `distill.packed` is set."""

    loss_weights_used = ()

    @property
    def stages(self) -> list[Stage]:
        settings = self.config.distill
        return [Stage("train", settings.questions, settings.batch_size)]

    def train(
        self,
        number: int,
        student: "Student",
        questions: Sequence[Question],
        callbacks: list["TrainerCallback"],
    ) -> RoundResult:
        from simdistill.training.trainers.batch import training_questions
        from simdistill.training.trainers.exact import train_round
        from simdistill.training.trainers.plain import sft_round

        settings, schedule = self.config.distill, self.schedule(number)
        if not settings.packed:
            return sft_round(student, questions, schedule, callbacks)
        rows = training_questions(student, questions, self.scales, settings.temperature)
        return train_round(student.model, student.tokenizer, rows, schedule, LIKELIHOOD, callbacks)
