"""Stages of training: the questions of each stage, and the resources that it used."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from simdistill.config import RunConfig
from simdistill.data.question import Question
from simdistill.errors import InputError


@dataclass(frozen=True)
class Stage:
    """A stage of training.

    Attributes:
        title: Name of the stage on the terminal.
        size: Largest number of decision questions of the stage.
        batch_size: Number of questions in an optimizer step.
        on_policy: Number of those decision questions that are about states of the student's own rollouts.
        first: Index of the stage's first question among the teacher's decision questions.
        forecasts: Whether the student also learns from kinds of questions without a decision, e.g. forecasts.
    """

    title: str
    size: int
    batch_size: int
    on_policy: int = 0
    first: int = 0
    forecasts: bool = True

    @property
    def taught(self) -> range:
        """Indices of the stage's questions among the teacher's decision questions."""
        return range(self.first, self.first + self.size - self.on_policy)

    def among(self, known: int) -> range:
        """Returns the indices of the stage's questions among `known` decision questions.

        If there are too few questions, the range ends at the last one.
        """
        first = max(0, min(self.first, known - len(self.taught)))
        return range(first, first + len(self.taught))

    def of(self, questions: Sequence[Question]) -> list[Question]:
        """Returns the stage's part of the teacher's questions.

        A question without a decision, such as a forecast, belongs to the decision question before it.
        """
        places = self.among(sum(question.decides for question in questions))
        return [
            question
            for place, question in _placed(questions)
            if place in places and (self.forecasts or question.decides)
        ]


@dataclass(frozen=True)
class RoundResult:
    """The result of one stage of training.

    Attributes:
        steps: Number of optimizer steps, including those before an interruption.
        questions: Number of questions that the student was trained on, counted with repetition.
        tokens: Number of token positions that were computed.
        loss: Mean loss of the steps since training was last started or resumed.
    """

    steps: int
    questions: int
    tokens: int
    loss: float


def on_policy_rounds(config: RunConfig) -> list[Stage]:
    """Returns a stage on the teacher's states, then one stage a round that adds the student's own states."""
    settings = config.distill
    own, taught = settings.round_questions, settings.round_teacher_questions
    later = [
        Stage(
            f"train, round {n} on its own states",
            own + taught,
            settings.batch_size,
            own,
            first=settings.questions + (n - 1) * taught,
        )
        for n in range(1, settings.rounds + 1)
    ]
    return [Stage("train", settings.questions, settings.batch_size), *later]


def check_questions(questions: Sequence[Question], path: Path) -> None:
    """Checks that the student can learn to decide from a stage's questions.

    Args:
        questions: Questions of the stage.
        path: File of the questions, for the error message.

    Raises:
        InputError: No question asks for a decision, or no decision has more than one choice.
    """
    # From a forecast a student learns what will happen, not which choice to take.
    decisions = [question for question in questions if question.decides]
    if not decisions:
        raise InputError(
            f"{path} has no decision questions to learn from; raise teacher.scenarios, or "
            "distill.round_questions if they are about the student's own states"
        )
    if all(len(question.choices) == 1 for question in decisions):
        raise InputError(
            f"{path}: none of the {len(decisions)} decisions has more than one choice, so there is nothing "
            "to learn; let the simulator ask for a decision where there are several choices"
        )


def _placed(questions: Sequence[Question]) -> Iterator[tuple[int, Question]]:
    """Yields each question with its index among the decisions; a forecast has the preceding decision's."""
    decisions = accumulate(question.decides for question in questions)
    return zip((number - 1 for number in decisions), questions, strict=True)
