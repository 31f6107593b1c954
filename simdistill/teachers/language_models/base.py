"""Teachers that are language models, which answer the student's questions.

States and simulated costs are those of the policy `teacher.base`, as if this policy were the teacher. Only
the answers and, if known, the probabilities of the choices come from the language model.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from simdistill.config import TaskConfig, TeacherConfig
from simdistill.data.answers import SHOWN, listed, parse
from simdistill.envs.prompts import Prompter
from simdistill.errors import InputError
from simdistill.executors import Map
from simdistill.models.choice_model import Asked, Posed
from simdistill.progress import Progress
from simdistill.simulation.states import State
from simdistill.teachers.demonstration import demonstrate
from simdistill.teachers.policies import named_policy
from simdistill.teachers.protocol import Lesson

if TYPE_CHECKING:
    from simdistill.data.question import Question

log = logging.getLogger(__name__)

AT_ONCE = 64
"""Number of questions that are asked, and cached, together."""


@dataclass(frozen=True)
class TeacherAnswer:
    """A language model's answer to a question with C choices.

    Attributes:
        choice: Index of the model's choice; None if its answer is none of the choices.
        probabilities_C: The model's probability of each choice; None if they aren't known.
        valid: Whether the model's unconstrained answer is read as one of the choices.
    """

    choice: int | None
    probabilities_C: list[float] | None
    valid: bool


def silent(done: int, total: int) -> None:
    """Shows no progress."""


def cached_answers() -> Path:
    """Returns the folder in the user's cache where answers are kept."""
    from simdistill.models.pretrained import cache_folder

    return cache_folder() / "teacher-answers"


class LanguageTeacher:
    """A teacher that is a language model. A subclass defines `answers`, `texts`, `name` and `made_by`.

    Args:
        config: Settings of the teacher, and the budget of the search in states of the policy `teacher.base`.
        seed: Root seed.

    Attributes:
        name: Name of the teacher in messages.
        made_by: Everything that determines the teacher's answers, as JSON values; part of the cache's key.
        everywhere: Whether the teacher is examined like the student; else with the default parameters only.
        loads_model: Whether `teacher.model` is a model on this machine, whose name can be checked at once.
        legal: Whether any answer so far was read as a choice.
        lenient: Number of answers that were read as a choice although they have another form.
        asked: Number of decisions that the teacher was asked for as a policy.
        valid: Number of those decisions for which its answer was read as a choice.
        valid_leniently: Number of those decisions for which its answer was read as a choice although it has
            another form, such as `**A**`.
    """

    name: str
    made_by: dict[str, str | None]
    everywhere, loads_model = True, False

    def __init__(self, config: TeacherConfig, seed: int):
        self.config, self.seed = config, seed
        self.legal, self.lenient = False, 0
        self.asked, self.valid, self.valid_leniently = 0, 0, 0

    def teach(self, task: TaskConfig, compute: Map, progress: Progress) -> Lesson:
        """Searches states that the policy `teacher.base` visits; `answer` later replaces its answers."""
        base = named_policy(task.simulator, self.config.base)
        return demonstrate(task, self.config, self.seed, base, compute, progress, self.config.base)

    def answers(
        self, questions: Sequence[Asked], progress: Callable[[int, int], None] = silent
    ) -> list[TeacherAnswer]:
        """Answers questions; `progress` is called with the numbers of answered and of all questions."""
        raise NotImplementedError

    def texts(self, questions: Sequence[Asked]) -> list[str]:
        """Returns the texts that the model generates as answers, not constrained to the choices."""
        raise NotImplementedError

    @property
    def valid_share(self) -> float:
        """Share of decisions for which its answer was read as a choice; 1 before the first decision."""
        return self.valid / self.asked if self.asked else 1.0

    @property
    def lenient_share(self) -> float:
        """Share of decisions that it answered with a choice in another form; 0 before the first decision."""
        return self.valid_leniently / self.asked if self.asked else 0.0

    def score(self, questions: Sequence[Asked]) -> list[TeacherAnswer]:
        """Answers questions of running episodes."""
        return self.answers(questions)

    def check(self, questions: Sequence[Asked]) -> None:
        """Raises `InputError` if the model can't answer questions; called before anything is simulated.

        Args:
            questions: Some of the run's questions.
        """

    def answer(
        self, questions: "Sequence[Question]", progress: Callable[[int, int], None] = silent
    ) -> "list[Question]":
        """Returns the questions with the model's answers and probabilities.

        Decision questions whose answer is none of the choices are left out; other kinds stay as they are.

        Raises:
            InputError: None of the model's texts is meant as a choice.
        """
        decisions = [question for question in questions if question.decides]
        before = self.lenient
        answers = self.answers(decisions, progress)
        self.legal |= any(found.valid for found in answers)
        usable = any(found.choice is not None for found in answers)
        if decisions and not (self.legal and usable):
            self.check_sense(decisions)
        left = iter(answers)
        labelled, left_out = [], 0
        for question in questions:
            if not question.decides:
                labelled.append(question)
                continue
            found = next(left)
            if found.choice is None:
                left_out += 1
                continue
            answer = question.choices[found.choice]
            labelled.append(replace(question, answer=answer, teacher_probabilities=found.probabilities_C))
        if left_out:
            log.warning("%d of the teacher's %d answers are none of the choices", left_out, len(decisions))
        if self.lenient > before:
            log.warning(
                "%d of the teacher's %d answers aren't just a choice, and were read as one",
                self.lenient - before,
                len(decisions),
            )
        return labelled

    def check_sense(self, questions: Sequence[Asked]) -> None:
        """Checks that the model's unconstrained texts can be read as choices.

        Needed if no answer was just a choice: even a model that generates unrelated text has a most probable
        choice.

        Args:
            questions: Questions that the model was asked; only the first ones are used.

        Raises:
            InputError: None of the texts can be read as a choice.
        """
        texts = self.texts(questions[:SHOWN])
        pairs = [(text, asked.choices) for text, asked in zip(texts, questions, strict=False)]
        if all(parse(text, choices).choice is None for text, choices in pairs):
            raise InputError(
                f"{self.name} said none of the choices in {len(questions)} answers; the first of them:"
                f"{listed(pairs)}\n{self.advice(questions[:SHOWN])}"
            )

    def advice(self, questions: Sequence[Asked]) -> str:
        """Returns advice for an error message about questions whose answers are none of the choices."""
        return "Say in task.language.description how to answer, or take another model."

    def policy(self, prompter: Prompter) -> "LanguageModelPolicy":
        """Returns the model as a policy that reads the prompts of `prompter`."""
        return LanguageModelPolicy(self, prompter)


@dataclass(frozen=True)
class LanguageModelPolicy:
    """A policy that asks a language model; if an answer is none of the choices, it takes the first choice.

    Attributes:
        teacher: The language model, which also counts the decisions.
        prompter: Prompter, which describes states in words.
    """

    teacher: LanguageTeacher
    prompter: Prompter

    def __call__(self, state: State, choices: Sequence[str]) -> str:
        return self.many([state], [choices])[0]

    def many(self, states: Sequence[State], choices_S: Sequence[Sequence[str]]) -> list[str]:
        """Decides in many states with one call of the model."""
        posed = [
            Posed(self.prompter.decision(dict(state)), list(choices))
            for state, choices in zip(states, choices_S, strict=True)
        ]
        before = self.teacher.lenient
        answers = self.teacher.score(posed)
        self.teacher.valid_leniently += self.teacher.lenient - before
        self.teacher.asked += len(answers)
        self.teacher.valid += sum(found.valid for found in answers)
        return [question.choices[found.choice or 0] for question, found in zip(posed, answers, strict=True)]
