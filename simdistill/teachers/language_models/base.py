"""Teachers that are language models: they are asked what the student is asked, and say what they would do.

States and the values of choices are those of the policy `teacher.base`, as when a policy teaches by itself;
only the answers are the model's, and where it tells them its probabilities over the choices.
"""

import hashlib
import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerBase

from simdistill.config import TaskConfig, TeacherConfig
from simdistill.data.answers import SHOWN, listed
from simdistill.data.question import Question
from simdistill.envs.prompts import Prompter
from simdistill.errors import InputError
from simdistill.executors import Map
from simdistill.models.choice_model import Asked, Posed
from simdistill.models.pretrained import BaseModel, cache_folder, sha256
from simdistill.models.student import Student
from simdistill.progress import Progress
from simdistill.simulation.states import State
from simdistill.teachers.demonstration import demonstrate
from simdistill.teachers.language_models.cache import Remembered
from simdistill.teachers.policies import named_policy
from simdistill.teachers.protocol import Lesson

log = logging.getLogger(__name__)

AT_ONCE = 64
"""Questions that are asked, and remembered, together."""


@dataclass(frozen=True)
class Said:
    """What a language model says to a question with C choices.

    Attributes:
        choice: Index of its choice; None if its answer is none of the choices.
        probabilities_C: Its probabilities over the choices; None if it doesn't tell them.
        valid: Whether it says a choice, and nothing else, without being held to the choices.
    """

    choice: int | None
    probabilities_C: list[float] | None
    valid: bool


def remembered_answers() -> Path:
    """Returns the file in the user's cache where answers are kept."""
    return cache_folder() / "teacher-answers.sqlite"


class LanguageTeacher:
    """A language model that teaches. A subclass says `said`, `texts`, `name` and `made_by`.

    Attributes:
        name: What messages call it.
        made_by: All that decides its answers, as JSON values. Remembered answers belong to it.
        everywhere: Whether it is examined like the student; else with the default parameters only.
        legal: Whether any of its answers was a choice and nothing else.
        asked: Decisions that it was asked for as a policy.
        valid: Of them, those that it answered by a choice and nothing else.
    """

    name: str
    made_by: dict[str, str | None]
    everywhere = True

    def __init__(self, config: TeacherConfig, seed: int):
        self.config, self.seed = config, seed
        self.legal = False
        self.asked, self.valid = 0, 0

    def teach(self, task: TaskConfig, compute: Map, progress: Progress) -> Lesson:
        """Searches the states that the policy `teacher.base` visits; its answers are replaced by `answer`."""
        base = named_policy(task.simulator, self.config.base)
        return demonstrate(task, self.config, self.seed, base, compute, progress, self.config.base)

    def said(
        self, questions: Sequence[Asked], progress: Callable[[int, int], None] = lambda done, total: None
    ) -> list[Said]:
        """Answers questions; `progress` is called with how many are answered and how many there are."""
        raise NotImplementedError

    def texts(self, questions: Sequence[Asked]) -> list[str]:
        """Returns what it says to questions, without being held to the choices."""
        raise NotImplementedError

    @property
    def valid_share(self) -> float:
        """Share of the decisions that it answered by a choice and nothing else; 1 before the first."""
        return self.valid / self.asked if self.asked else 1.0

    def score(self, questions: Sequence[Asked]) -> list[Said]:
        """Answers questions of an episode in play."""
        return self.said(questions)

    def check(self, questions: Sequence[Asked]) -> None:
        """Raises `InputError` if it can't answer; called before anything is simulated for it.

        Args:
            questions: Some of the run's.
        """

    def answer(
        self, questions: Sequence[Question], progress: Callable[[int, int], None] = lambda done, total: None
    ) -> list[Question]:
        """Returns the questions with its answers and probabilities.

        Those to which it says something that is none of the choices are left out; forecasts stay as they are.

        Raises:
            InputError: None of its answers can be used, or it has never said a choice.
        """
        decisions = [question for question in questions if question.decides]
        answers = self.said(decisions, progress)
        self.legal |= any(found.valid for found in answers)
        usable = any(found.choice is not None for found in answers)
        if decisions and not (self.legal and usable):
            self.check_sense(decisions)
        said = iter(answers)
        labelled, left_out = [], 0
        for question in questions:
            if not question.decides:
                labelled.append(question)
                continue
            found = next(said)
            if found.choice is None:
                left_out += 1
                continue
            answer = question.choices[found.choice]
            labelled.append(replace(question, answer=answer, teacher_probabilities=found.probabilities_C))
        if left_out:
            log.warning("%d of the teacher's %d answers are none of the choices", left_out, len(decisions))
        return labelled

    def check_sense(self, questions: Sequence[Asked]) -> None:
        """Checks that what it says means a choice, though it is never one and nothing else.

        Held to the choices, any model prefers one of them, even one that talks about something else.

        Args:
            questions: What it was asked; only the first are looked at.

        Raises:
            InputError: It says none of the choices.
        """
        texts = self.texts(questions[:SHOWN])
        if all(chosen(text, asked.choices) is None for text, asked in zip(texts, questions, strict=False)):
            shown = listed((text, asked.choices) for text, asked in zip(texts, questions, strict=False))
            raise InputError(
                f"{self.name} said none of the choices in {len(questions)} answers; the first of them:"
                f"{shown}\nSay in task.language.description how to answer, or take another model."
            )

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
        said = self.teacher.score(posed)
        self.teacher.asked += len(said)
        self.teacher.valid += sum(found.valid for found in said)
        return [question.choices[found.choice or 0] for question, found in zip(posed, said, strict=True)]


class LocalTeacher(LanguageTeacher):
    """A causal language model on this machine, with or without an adapter; asked as the student is.

    It is an object of its own, even where it has the student's base model.

    Args:
        settings: Its model and adapter.
        seed: Not used; it answers by exact probabilities.

    Raises:
        InputError: The model or the adapter can't be had.
    """

    def __init__(self, settings: TeacherConfig, seed: int):
        super().__init__(settings, seed)
        self.student = Student.load(settings.model or "", settings.adapter)
        self.made_by = made_by(self.student.base, self.student.tokenizer, settings.adapter)
        with_adapter = "" if settings.adapter is None else f" with the adapter {settings.adapter}"
        self.name = f"{settings.model}{with_adapter}"

    def check(self, questions: Sequence[Asked]) -> None:
        self.student.check_packing(questions)

    def said(
        self, questions: Sequence[Asked], progress: Callable[[int, int], None] = lambda done, total: None
    ) -> list[Said]:
        found: list[Said] = []
        with closing(Remembered(remembered_answers())) as remembered:
            for begin in range(0, len(questions), AT_ONCE):
                part = questions[begin : begin + AT_ONCE]
                # Who shares a forward pass decides how sums are rounded, so a part is kept as a whole.
                key = [self.made_by, [[question.prompt, question.choices] for question in part]]
                kept = remembered[key]
                if kept is None:
                    self.student.forget()
                    kept = remembered[key] = [asdict(said) for said in self.score(part)]
                found += [Said(**said) for said in kept]
                progress(len(found), len(questions))
        return found

    def score(self, questions: Sequence[Asked]) -> list[Said]:
        return [
            Said(answer.choice, answer.probabilities_C.tolist(), answer.greedy is not None)
            for answer in self.student.score(questions)
        ]

    def texts(self, questions: Sequence[Asked]) -> list[str]:
        return self.student.texts(questions)


def made_by(
    base: BaseModel, tokenizer: PreTrainedTokenizerBase, adapter: Path | None
) -> dict[str, str | None]:
    """Returns checksums of all that decides what a model on this machine says."""
    return {
        "weights": base.sha256,
        "adapter": None if adapter is None else _adapter_sha256(Path(adapter)),
        "tokenizer": _digest(_rules(tokenizer)),
        "template": _digest(str(tokenizer.chat_template)),
    }


def chosen(text: str, choices: Sequence[str]) -> int | None:
    """Returns the index of the choice that a text is, None if it is none.

    White space, quotation marks and a full stop around it, and if need be upper and lower case, don't count.
    """
    bare = text.strip().strip("\"'`*").rstrip(".").strip("\"'`*")
    for given, labels in ((bare, list(choices)), (bare.casefold(), [c.casefold() for c in choices])):
        if labels.count(given) == 1:
            return labels.index(given)
    return None


def check_same_words(teacher: Student, student: Student) -> None:
    """Checks that teacher and student read the same tokens, which methods on logits and hidden states need.

    Raises:
        InputError: Vocabulary, rules of the tokenizer, end token or chat template differ, or the teacher's
            weights are the student's own objects; the message names the difference.
    """
    check_apart(student.model, teacher.model)
    names = f"teacher {teacher.base.name} and student {student.base.name}"
    mend = "Take a teacher of the student's family, or a method that only needs answers: sft, dagger, kd."
    difference = _difference(teacher.tokenizer, student.tokenizer)
    if difference:
        raise InputError(f"{names} don't read the same tokens: {difference}. {mend}")


def check_apart(student: torch.nn.Module, teacher: torch.nn.Module) -> None:
    """Checks that a teacher has weights of its own.

    A teacher that is an adapter on the student's base object answers with whichever adapter is active, so
    that the two never differ: TRL's loss is then 0, without a word.

    Raises:
        InputError: They share weights.
    """
    own = {weight.data_ptr() for weight in student.parameters()}
    if any(weight.data_ptr() in own for weight in teacher.parameters()):
        raise InputError(
            "The teacher shares its weights with the student, so it would always agree; load it as an object "
            "of its own, as in Student.load(model, adapter)"
        )


def _difference(teacher: PreTrainedTokenizerBase, student: PreTrainedTokenizerBase) -> str | None:
    """Names the first difference between two tokenizers, None if there is none."""
    words, own = teacher.get_vocab(), student.get_vocab()
    if words != own:
        word = min(word for word in words.keys() | own.keys() if words.get(word) != own.get(word))
        return (
            f"the vocabularies have {len(words)} and {len(own)} tokens, and {word!r} is number "
            f"{words.get(word)} and {own.get(word)}"
        )
    if teacher.eos_token != student.eos_token:
        return f"answers end with {teacher.eos_token!r} and {student.eos_token!r}"
    if teacher.chat_template != student.chat_template:
        return f"the chat templates are {_apart(str(teacher.chat_template), str(student.chat_template))}"
    if _rules(teacher) != _rules(student):
        return f"the tokenizers' rules are {_apart(_rules(teacher), _rules(student))}"
    return None


def _apart(text: str, other: str) -> str:
    """Shows where two texts begin to differ."""
    shorter = min(len(text), len(other))
    place = next((n for n in range(shorter) if text[n] != other[n]), shorter)
    begin = max(place - 20, 0)
    return f"{text[begin : place + 40]!r} and {other[begin : place + 40]!r} at character {place}"


def _rules(tokenizer: PreTrainedTokenizerBase) -> str:
    """Returns all that turns text into tokens: of a slow tokenizer, its vocabulary."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    return backend.to_str() if backend is not None else repr(sorted(tokenizer.get_vocab().items()))


def _adapter_sha256(folder: Path) -> str:
    files = sorted(path for path in folder.glob("adapter_*") if path.suffix in (".safetensors", ".json"))
    return _digest("\n".join(sha256(path) for path in files))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
