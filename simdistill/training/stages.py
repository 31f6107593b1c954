"""Stages of training: which questions each one asks, in what order, and what it has cost."""

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
        title: Its name on the terminal.
        size: Decisions asked about, at most.
        batch_size: Questions of an optimizer step.
        on_policy: How many of the decisions are in states that the student itself runs into.
        first: Place of the first of the teacher's questions that this stage asks.
        forecasts: Whether the student also learns from forecasts, and from other kinds that decide nothing.
    """

    title: str
    size: int
    batch_size: int
    on_policy: int = 0
    first: int = 0
    forecasts: bool = True

    @property
    def taught(self) -> range:
        """Places of the teacher's questions that this stage asks."""
        return range(self.first, self.first + self.size - self.on_policy)

    def among(self, known: int) -> range:
        """Returns the places that the stage asks of `known` questions; the last ones if there are too few."""
        first = max(0, min(self.first, known - len(self.taught)))
        return range(first, first + len(self.taught))

    def of(self, questions: Sequence[Question]) -> list[Question]:
        """Returns the stage's part of the teacher's questions; forecasts follow their decisions."""
        places = self.among(sum(question.decides for question in questions))
        return [
            question
            for place, question in _placed(questions)
            if place in places and (self.forecasts or question.decides)
        ]


@dataclass(frozen=True)
class RoundResult:
    """What one stage of training did.

    Attributes:
        steps: Optimizer steps of the stage, those before an interruption too.
        questions: Questions trained on, counted with repetition.
        tokens: Positions computed.
        loss: Mean loss of the steps since the last start.
    """

    steps: int
    questions: int
    tokens: int
    loss: float


def on_policy_rounds(config: RunConfig) -> list[Stage]:
    """Returns a stage in the teacher's states, and later ones into which the student's own are mixed."""
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
    """Checks that a stage's questions can teach the student to decide.

    Args:
        questions: The stage's.
        path: Their file, for the message.

    Raises:
        InputError: There is no decision, or none with more than one choice.
    """
    # A forecast teaches what comes, not what to do.
    decisions = [question for question in questions if question.decides]
    if not decisions:
        raise InputError(
            f"{path} has no decisions to learn from; raise teacher.scenarios, or distill.round_questions "
            "for states of the student's own"
        )
    if all(len(question.choices) == 1 for question in decisions):
        raise InputError(
            f"{path}: none of the {len(decisions)} decisions has more than one choice, so there is nothing "
            "to learn; let the process ask where there is something to choose"
        )


def _placed(questions: Sequence[Question]) -> Iterator[tuple[int, Question]]:
    """Yields questions with their place among the decisions; a forecast has that of the decision before."""
    decisions = accumulate(question.decides for question in questions)
    return zip((number - 1 for number in decisions), questions, strict=True)
