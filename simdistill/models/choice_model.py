"""Interface of models that answer questions: by probabilities of the choices, or by generated text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


class Asked(Protocol):
    """Interface of a question: the attributes that a student uses."""

    @property
    def prompt(self) -> Sequence[dict]: ...

    @property
    def choices(self) -> Sequence[str]: ...


@dataclass(frozen=True)
class Posed:
    """A question without an answer.

    Attributes:
        prompt: Chat messages.
        choices: Labels of the choices.
    """

    prompt: list[dict[str, str]]
    choices: list[str]


@dataclass(frozen=True)
class Answer:
    """A student's answer to a question with C choices.

    Attributes:
        log_probabilities_C: log p of each choice, where p is the probability that the student generates it.
        probabilities_C: Normalised probability q of each choice, which is p divided by the sum over choices.
        mass: Sum of p over choices: the probability that the student generates one of the choices.
        choice: Index of the most probable choice; of equally probable ones, the first.
        greedy: Index of the choice that unconstrained greedy decoding generates; None if it is another text.
    """

    log_probabilities_C: np.ndarray
    probabilities_C: np.ndarray
    mass: float
    choice: int
    greedy: int | None


class ChoiceModel(Protocol):
    """A model that answers questions by probabilities of their choices."""

    def score(self, questions: Sequence[Asked]) -> list[Answer]:
        """Returns an answer to each question, with the probabilities of its choices."""
        ...

    def texts(self, questions: Sequence[Asked]) -> list[str]:
        """Returns the texts that the model generates, not constrained to the choices."""
        ...
