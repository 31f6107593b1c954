"""A student as a policy."""

from collections.abc import Sequence

import numpy as np

from simdistill.data.answers import SHOWN
from simdistill.envs.prompts import Prompter
from simdistill.models.choice_model import Answer, Posed
from simdistill.models.student import Student


class Asking:
    """A student as a policy that answers many states at once, and remembers its answers."""

    def __init__(self, student: Student, language: Prompter):
        self.student, self.language = student, language
        self.answers: dict[tuple, Answer] = {}
        self.first: list[Posed] = []

    def __call__(self, states: Sequence[dict], choices: Sequence[Sequence[str]]) -> list[str]:
        posed = [Posed(self.language.decision(s), list(c)) for s, c in zip(states, choices, strict=True)]
        answers = self.student.score(posed)
        self.first += posed[: SHOWN - len(self.first)]
        for question, answer in zip(posed, answers, strict=True):
            self.answers[question.prompt[-1]["content"], *question.choices] = answer
        return [question.choices[answer.choice] for question, answer in zip(posed, answers, strict=True)]

    def decide(self, state: dict, choices: Sequence[str]) -> str:
        """Answers one state."""
        return self([state], [choices])[0]

    @property
    def valid(self) -> float:
        """Share of the states in which unconstrained greedy decoding gives a choice and nothing else."""
        return float(np.mean([answer.greedy is not None for answer in self.answers.values()]))

    def instead(self) -> list[dict]:
        """Returns what it says to the first questions, if it never says a choice and nothing else."""
        if any(answer.greedy is not None for answer in self.answers.values()):
            return []
        texts = self.student.texts(self.first)
        return [
            {"said": text, "choices": question.choices}
            for text, question in zip(texts, self.first, strict=True)
        ]

    @property
    def mass(self) -> float:
        """Mean probability of answering with a choice at all."""
        return float(np.mean([answer.mass for answer in self.answers.values()]))
