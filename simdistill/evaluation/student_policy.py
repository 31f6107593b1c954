"""A student as a policy."""

from collections.abc import Sequence

import numpy as np

from simdistill.data.answers import SHOWN, parse
from simdistill.envs.prompts import Prompter
from simdistill.models.choice_model import Answer, Posed
from simdistill.models.student import Student
from simdistill.simulation.states import State

LOOKED_AT = 32
"""Number of invalid answers whose text is decoded, to see whether they are a choice in another form."""


class StudentPolicy:
    """A policy that makes a student's choices and keeps the student's answers.

    Args:
        student: The student, which scores the choices.
        prompter: Writes the prompt for a state.

    Attributes:
        answers: (text of the situation, *choices) -> answer.
    """

    def __init__(self, student: Student, prompter: Prompter):
        self.student, self.prompter = student, prompter
        self.answers: dict[tuple, Answer] = {}
        self._first: list[Posed] = []
        self._invalid: list[Posed] = []

    def __call__(self, state: State, choices: Sequence[str]) -> str:
        return self.many([state], [choices])[0]

    def many(self, states: Sequence[State], choices_S: Sequence[Sequence[str]]) -> list[str]:
        """Returns the choices in many states, which are scored together in few forward passes."""
        posed = [
            Posed(self.prompter.decision(dict(state)), list(choices))
            for state, choices in zip(states, choices_S, strict=True)
        ]
        answers = self.student.score(posed)
        self._first += posed[: SHOWN - len(self._first)]
        for question, answer in zip(posed, answers, strict=True):
            key = (question.prompt[-1]["content"], *question.choices)
            if answer.greedy is None and key not in self.answers and len(self._invalid) < LOOKED_AT:
                self._invalid.append(question)
            self.answers[key] = answer
        return [question.choices[answer.choice] for question, answer in zip(posed, answers, strict=True)]

    @property
    def valid(self) -> float:
        """Share of the situations in which unconstrained greedy decoding yields a choice and nothing else."""
        return float(np.mean([answer.greedy is not None for answer in self.answers.values()]))

    @property
    def lenient(self) -> float:
        """Share of the situations in which greedy decoding yields a choice in another form, such as `**A**`.

        It is an estimate: the first `LOOKED_AT` invalid answers stand for all invalid answers.
        """
        if not self._invalid:
            return 0.0
        texts = self.student.texts(self._invalid)
        read = [parse(text, question.choices) for text, question in zip(texts, self._invalid, strict=True)]
        return (1 - self.valid) * float(np.mean([found.choice is not None for found in read]))

    @property
    def mass(self) -> float:
        """Mean probability that an unconstrained answer is one of the choices."""
        return float(np.mean([answer.mass for answer in self.answers.values()]))

    def said_instead(self) -> list[dict]:
        """Returns the student's texts for the first questions, if it never answers with a choice alone.

        If any answer is a choice alone, the list is empty.
        """
        if any(answer.greedy is not None for answer in self.answers.values()):
            return []
        texts = self.student.texts(self._first)
        return [
            {"said": text, "choices": question.choices}
            for text, question in zip(texts, self._first, strict=True)
        ]
