"""The project's own method: imitation, exact expected regret and validity.

The first round has states of the teacher. Later rounds add states that the student itself visits, labelled
by the simulator (Ross, Gordon and Bagnell: DAgger, AISTATS 2011; with costs in place of labels: Ross and
Bagnell, AggreVaTe, arXiv 1406.5979).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simdistill.data.question import Question
from simdistill.training.method import Method
from simdistill.training.stages import RoundResult, Stage, on_policy_rounds
from simdistill.training.weights import Weights

if TYPE_CHECKING:
    from transformers import TrainerCallback

    from simdistill.models.student import Student
    from simdistill.training.trainers.batch import TrainingQuestion


class SimDistill(Method):
    """Imitation plus exact expected regret, with later rounds on the student's own states."""

    @property
    def stages(self) -> list[Stage]:
        return on_policy_rounds(self.config)

    @property
    def weights(self) -> Weights:
        """Weights of the loss's terms."""
        settings = self.config.distill
        return Weights(settings.imitation, settings.soft, settings.regret, settings.validity)

    def train(
        self,
        number: int,
        student: "Student",
        questions: Sequence[Question],
        callbacks: list["TrainerCallback"],
    ) -> RoundResult:
        from simdistill.training.trainers.exact import train_round

        rows, schedule = self.rows(student, questions), self.schedule(number)
        return train_round(student.model, student.tokenizer, rows, schedule, self.weights, callbacks)

    def rows(self, student: "Student", questions: Sequence[Question]) -> list["TrainingQuestion"]:
        """Returns tokenized questions with their targets."""
        from simdistill.training.targets import targets

        return targets(self.config, student, questions, self.weights.soft)
