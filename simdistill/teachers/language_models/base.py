"""Teachers that are language models: they answer the student's questions.

The states, and the values of choices, are those of the policy `teacher.base`, as when that policy teaches.
Only the answers are the model's, and its probabilities over the choices where they are known.
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
"""Questions that are asked, and cached, together."""


@dataclass(frozen=True)
class TeacherAnswer:
    """A language model's answer to a question with C choices.

    Attributes:
        choice: Index of its choice; None if its answer is none of the choices.
        probabilities_C: Its probabilities over the choices; None if they aren't known.
        valid: Whether it answers by a choice, and nothing else, without being held to the choices.
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
    """A language model that teaches. A subclass has `answers`, `texts`, `name` and `made_by`.

    Args:
        config: Its settings, and the budget of the search in the states of `base`.
        seed: Root seed.

    Attributes:
        name: What messages call it.
        made_by: All that decides its answers, as JSON values. Cached answers belong to it.
        everywhere: Whether it is examined like the student; else with the default parameters only.
        loads_model: Whether `teacher.model` is a model on this machine, whose name can be checked at once.
        legal: Whether any of its answers was a choice and nothing else.
        lenient: Answers that are a choice only if their form is overlooked.
        asked: Decisions that it was asked for as a policy.
        valid: Of them, those that were read as a choice.
        valid_leniently: Of those, the ones that are a choice only if their form is overlooked.
    """

    name: str
    made_by: dict[str, str | None]
    everywhere, loads_model = True, False

    def __init__(self, config: TeacherConfig, seed: int):
        self.config, self.seed = config, seed
        self.legal, self.lenient = False, 0
        self.asked, self.valid, self.valid_leniently = 0, 0, 0

    def teach(self, task: TaskConfig, compute: Map, progress: Progress) -> Lesson:
        """Searches the states that the policy `teacher.base` visits; its answers are replaced by `answer`."""
        base = named_policy(task.simulator, self.config.base)
        return demonstrate(task, self.config, self.seed, base, compute, progress, self.config.base)

    def answers(
        self, questions: Sequence[Asked], progress: Callable[[int, int], None] = silent
    ) -> list[TeacherAnswer]:
        """Answers questions; `progress` is called with how many are answered and how many there are."""
        raise NotImplementedError

    def texts(self, questions: Sequence[Asked]) -> list[str]:
        """Returns what it says to questions, without being held to the choices."""
        raise NotImplementedError

    @property
    def valid_share(self) -> float:
        """Share of the decisions that it answered by a choice and nothing else; 1 before the first."""
        return self.valid / self.asked if self.asked else 1.0

    @property
    def lenient_share(self) -> float:
        """Share of the decisions that it answered by a choice in another form; 0 before the first."""
        return self.valid_leniently / self.asked if self.asked else 0.0

    def score(self, questions: Sequence[Asked]) -> list[TeacherAnswer]:
        """Answers questions of an episode in play."""
        return self.answers(questions)

    def check(self, questions: Sequence[Asked]) -> None:
        """Raises `InputError` if it can't answer; called before anything is simulated for it.

        Args:
            questions: Some of the run's.
        """

    def answer(
        self, questions: "Sequence[Question]", progress: Callable[[int, int], None] = silent
    ) -> "list[Question]":
        """Returns the questions with its answers and probabilities.

        Questions that it answers by none of the choices are left out; forecasts stay as they are.

        Raises:
            InputError: None of its answers can be used, or it has never answered by a choice.
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
        """Checks that its texts mean a choice, though none of its answers is a choice and nothing else.

        Held to the choices, any model prefers one of them, even one that talks about something else.

        Args:
            questions: What it was asked; only the first are looked at.

        Raises:
            InputError: None of its texts means a choice.
        """
        texts = self.texts(questions[:SHOWN])
        pairs = [(text, asked.choices) for text, asked in zip(texts, questions, strict=False)]
        if all(parse(text, choices).choice is None for text, choices in pairs):
            raise InputError(
                f"{self.name} said none of the choices in {len(questions)} answers; the first of them:"
                f"{listed(pairs)}\n{self.advice(questions[:SHOWN])}"
            )

    def advice(self, questions: Sequence[Asked]) -> str:
        """Returns what to do about answers to these questions that are none of the choices."""
        return "Say in task.language.description how to answer, or take another model."

    def policy(self, prompter: Prompter) -> "LanguageModelPolicy":
        """Returns the model as a policy that reads states in these words."""
        return LanguageModelPolicy(self, prompter)


@dataclass(frozen=True)
class LanguageModelPolicy:
    """Decides as a language model does; an answer that is none of the choices counts as the first one.

    Attributes:
        teacher: The language model; it counts the decisions.
        prompter: Puts states into words.
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
