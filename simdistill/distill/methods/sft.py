"""Supervised fine-tuning on the teacher's answers, by TRL's SFTTrainer as it is.

Behaviour cloning (Pomerleau, ALVINN, NeurIPS 1988) with the cross-entropy of the answer's tokens, as in the
first step of Ouyang et al., arXiv 2203.02155.
"""

from collections.abc import Sequence

from transformers import TrainerCallback

from simdistill.distill.method import Method, Stage
from simdistill.distill.plain import sft_round
from simdistill.distill.trainers import RoundResult
from simdistill.questions import Question
from simdistill.students import Student


class SFT(Method):
    """Cross-entropy on the teacher's answers, with TRL's own trainer."""

    @property
    def stages(self) -> list[Stage]:
        settings = self.config.distill
        return [Stage("train", settings.questions, settings.batch_size)]

    def train(
        self, number: int, student: Student, questions: Sequence[Question], callbacks: list[TrainerCallback]
    ) -> RoundResult:
        return sft_round(student, questions, self.schedule(number), callbacks)
