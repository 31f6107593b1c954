"""Distillation of soft targets and of a teacher language model's hidden states.

FitNets (Romero et al., arXiv 1412.6550) with the layer map of TinyBERT (Jiao et al., arXiv 1909.10351) and
the normalised distance of Patient KD (Sun et al., arXiv 1908.09355).

The loss is the exact loss of `simdistill.training.losses` plus `weight * distance`, with the distance of
`simdistill.training.matching`. The weight is calibrated before training, with the initial student and the
questions of the first steps: both terms' gradients with respect to the trained parameters get equal norms.
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from simdistill.data.question import Question
from simdistill.models.choice_model import Asked
from simdistill.training.methods.kd import KD
from simdistill.training.stages import RoundResult

if TYPE_CHECKING:
    from transformers import TrainerCallback

    from simdistill.models.student import Student


class Hidden(KD):
    """Forward KL to soft targets, plus the distance from a teacher language model's hidden states."""

    learns_from = "hidden states"

    def check_models(self, student: "Student", asked: Sequence[Asked]) -> None:
        from simdistill.training.teacher_model import teacher_model

        super().check_models(student, asked)
        teacher_model(self.config, student).check_packing(asked)

    def train(
        self,
        number: int,
        student: "Student",
        questions: Sequence[Question],
        callbacks: list["TrainerCallback"],
    ) -> RoundResult:
        from simdistill.training.teacher_model import teacher_model
        from simdistill.training.trainers.exact import train_round
        from simdistill.training.trainers.hidden import HiddenTrainer

        rows = self.rows(student, questions)
        teacher = teacher_model(self.config, student).model.to(self.dtype)  # type: ignore[reportArgumentType]
        return train_round(
            student.model,
            student.tokenizer,
            rows,
            self.schedule(number),
            self.weights,
            callbacks,
            partial(HiddenTrainer, teacher=teacher),
        )
