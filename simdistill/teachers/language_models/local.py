"""A teacher that is a causal language model on this machine."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import model_validator

from simdistill.config import TeacherConfig
from simdistill.files import sha256
from simdistill.models.choice_model import Asked
from simdistill.teachers.language_models.base import (
    AT_ONCE,
    LanguageTeacher,
    TeacherAnswer,
    cached_answers,
    silent,
)
from simdistill.teachers.language_models.cache import Answers

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from simdistill.models.pretrained import BaseModel


class LocalTeacher(LanguageTeacher):
    """A causal language model on this machine, with or without an adapter, that answers like a student.

    It has weights of its own, even if its base model is the student's.

    Args:
        config: Settings of the teacher, with the model and its adapter.
        seed: Root seed; not used, as answers come from exact probabilities.

    Raises:
        InputError: The model or the adapter can't be loaded.
    """

    class Config(TeacherConfig):
        """A causal language model on this machine."""

        @model_validator(mode="after")
        def _complete(self) -> "LocalTeacher.Config":
            if not self.model:
                raise ValueError(f"name={self.name} is a language model; say which one with teacher.model")
            return self

    loads_model = True

    def __init__(self, config: TeacherConfig, seed: int):
        from simdistill.models.student import Student

        super().__init__(config, seed)
        self.student = Student.load(config.model or "", config.adapter)
        self.made_by = made_by(self.student.base, self.student.tokenizer, config.adapter)
        with_adapter = "" if config.adapter is None else f" with the adapter {config.adapter}"
        self.name = f"{config.model}{with_adapter}"

    def check(self, questions: Sequence[Asked]) -> None:
        self.student.check_packing(questions)

    def answers(
        self, questions: Sequence[Asked], progress: Callable[[int, int], None] = silent
    ) -> list[TeacherAnswer]:
        found: list[TeacherAnswer] = []
        progress(0, len(questions))
        with closing(Answers(cached_answers())) as cached:
            for begin in range(0, len(questions), AT_ONCE):
                part = questions[begin : begin + AT_ONCE]
                # Rounding depends on all questions of a forward pass, so the part is one entry of the cache.
                key = [self.made_by, [[question.prompt, question.choices] for question in part]]
                kept = cached[key]
                if kept is None:
                    self.student.forget()
                    kept = cached[key] = [asdict(answer) for answer in self.score(part)]
                found += [TeacherAnswer(**answer) for answer in kept]
                progress(len(found), len(questions))
        return found

    def score(self, questions: Sequence[Asked]) -> list[TeacherAnswer]:
        return [
            TeacherAnswer(answer.choice, answer.probabilities_C.tolist(), answer.greedy is not None)
            for answer in self.student.score(questions)
        ]

    def texts(self, questions: Sequence[Asked]) -> list[str]:
        return self.student.texts(questions)


def made_by(
    base: "BaseModel", tokenizer: "PreTrainedTokenizerBase", adapter: Path | None
) -> dict[str, str | None]:
    """Returns checksums of everything that determines the answers of a model on this machine."""
    return {
        "weights": base.sha256,
        "adapter": None if adapter is None else _adapter_sha256(Path(adapter)),
        "tokenizer": _digest(tokenizer_rules(tokenizer)),
        "template": _digest(str(tokenizer.chat_template)),
    }


def tokenizer_rules(tokenizer: "PreTrainedTokenizerBase") -> str:
    """Returns a text of all the tokenizer's rules; for a slow tokenizer, of its vocabulary."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    return backend.to_str() if backend is not None else repr(sorted(tokenizer.get_vocab().items()))


def _adapter_sha256(folder: Path) -> str:
    files = sorted(path for path in folder.glob("adapter_*") if path.suffix in (".safetensors", ".json"))
    return _digest("\n".join(sha256(path) for path in files))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
