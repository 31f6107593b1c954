"""What answers questions: a model that gives every choice a probability, and says texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


class Asked(Protocol):
    """What a student needs of a question."""

    @property
    def prompt(self) -> Sequence[dict]: ...

    @property
    def choices(self) -> Sequence[str]: ...


@dataclass(frozen=True)
class Posed:
    """A question without an answer.

    Attributes:
        prompt: Chat messages.
        choices: Labels.
    """

    prompt: list[dict[str, str]]
    choices: list[str]


@dataclass(frozen=True)
class Answer:
    """A student's answer to a question with C choices.

    Attributes:
        log_probabilities_C: log p of each choice.
        probabilities_C: q, p divided by the sum over choices.
        mass: Sum of p: how probable it is that the student says one of the choices at all.
        choice: Index of the most probable choice, the first of equals.
        greedy: Index of the choice that unconstrained greedy decoding says; None if it says something else.
    """

    log_probabilities_C: np.ndarray
    probabilities_C: np.ndarray
    mass: float
    choice: int
    greedy: int | None


class ChoiceModel(Protocol):
    """Whatever answers questions by probabilities over their choices."""

    def score(self, questions: Sequence[Asked]) -> list[Answer]:
        """Returns the probabilities of the questions' choices."""
        ...

    def texts(self, questions: Sequence[Asked]) -> list[str]:
        """Returns what the model says when it may say anything."""
        ...
