"""A teacher behind an OpenAI-compatible server, which is queried by `/chat/completions`."""

import math
from collections.abc import Callable, Sequence

from pydantic import Field, model_validator

from simdistill.config import TeacherConfig
from simdistill.data.answers import parse
from simdistill.models.choice_model import Asked
from simdistill.teachers.language_models.base import AT_ONCE, LanguageTeacher, TeacherAnswer, silent

TOP = 20
"""Number of tokens whose probabilities are requested, OpenAI's maximum."""
ENOUGH = 0.9
"""Least total probability of the choices for which a server's probabilities are used."""
ROOM = 8
"""Tokens that an answer may have beyond the longest choice; they show whether the answer is longer."""


class EndpointTeacher(LanguageTeacher):
    """A language model behind an OpenAI-compatible server.

    The model's probabilities are used only if the server gives those of the first token, this token
    distinguishes the choices, and the choices have a total probability of at least 0.9.

    Args:
        config: Settings of the teacher, with the model and the server's address.
        seed: Root seed.
    """

    class Config(TeacherConfig):
        """A language model behind an OpenAI-compatible server."""

        base_url: str | None = Field(
            default=None, description="address of an OpenAI-compatible server, as in http://localhost:8000/v1"
        )
        max_tokens: int | None = Field(
            default=None,
            ge=1,
            description="largest number of tokens of an answer; null: just what a choice needs. A model that "
            "reasons before it answers needs hundreds",
        )

        @model_validator(mode="after")
        def _complete(self) -> "EndpointTeacher.Config":
            if not self.model:
                raise ValueError(f"name={self.name} is a language model; say which one with teacher.model")
            if not self.base_url:
                raise ValueError(
                    f"name={self.name} needs the server's address, as in "
                    "teacher.base_url=http://localhost:8000/v1"
                )
            if self.adapter:
                raise ValueError(
                    f"adapter={self.adapter} can't be sent to a server; let it serve the adapter under a "
                    "name of its own, and give that as teacher.model"
                )
            return self

    everywhere = False

    def __init__(self, config: Config, seed: int):
        from simdistill.teachers.language_models.client import Endpoint

        super().__init__(config, seed)
        self.model, self.max_tokens = config.model or "", config.max_tokens
        self.endpoint = Endpoint(config.base_url or "")
        self.name = f"{self.model} at {self.endpoint.url}"
        self.made_by = {"url": self.endpoint.url, "model": self.model}
        self.illegal: list[Asked] = []

    def check(self, questions: Sequence[Asked]) -> None:
        """Asks one question, which also detects the server's dialect."""
        self._replies(questions[:1])

    def answers(
        self, questions: Sequence[Asked], progress: Callable[[int, int], None] = silent
    ) -> list[TeacherAnswer]:
        found: list[TeacherAnswer] = []
        progress(0, len(questions))
        for begin in range(0, len(questions), AT_ONCE):
            part = questions[begin : begin + AT_ONCE]
            for question, reply in zip(part, self._replies(part), strict=True):
                parsed = parse(reply["text"], question.choices)
                if parsed.choice is None:
                    self.illegal.append(question)
                self.legal |= parsed.choice is not None
                self.lenient += parsed.lenient
                own = probabilities(reply["top"], question.choices)
                found.append(TeacherAnswer(parsed.choice, own, parsed.choice is not None))
            if not self.legal and len(self.illegal) >= AT_ONCE:
                self.check_sense(self.illegal)
            progress(len(found), len(questions))
        return found

    def texts(self, questions: Sequence[Asked]) -> list[str]:
        return [reply["text"] for reply in self._replies(questions)]

    def advice(self, questions: Sequence[Asked]) -> str:
        cut = [reply["text"] for reply in self._replies(questions) if reply.get("cut")]
        if any("<think>" in text or not text.strip() for text in cut):
            return (
                "It reasons before it answers, and was cut off meanwhile; raise teacher.max_tokens, to 2000 "
                "for example."
            )
        return super().advice(questions)

    def _replies(self, questions: Sequence[Asked]) -> list[dict]:
        return self.endpoint.complete([self._body(q.prompt, q.choices) for q in questions])

    def _body(self, prompt: Sequence[dict], choices: Sequence[str]) -> dict:
        return {
            "model": self.model,
            "messages": list(prompt),
            "temperature": 0,
            # A token has at least one character.
            "max_tokens": self.max_tokens or max(map(len, choices)) + ROOM,
            "logprobs": True,
            "top_logprobs": TOP,
        }


def probabilities(top: Sequence[Sequence] | None, choices: Sequence[str]) -> list[float] | None:
    """Returns the probabilities of the choices (C) from those of the first token.

    Returns None if a token doesn't distinguish the choices, or if their total probability is too small.

    Args:
        top: Pairs of a first token and its log-probability.
        choices: Labels of the choices. A token counts for the one choice that begins with it.
    """
    found_C = [0.0] * len(choices)
    for token, log_probability in top or ():
        begun = [place for place, label in enumerate(choices) if _begins(label, token.strip())]
        if len(begun) > 1:
            return None
        for place in begun:
            found_C[place] += math.exp(log_probability)
    total = sum(found_C)
    return [p / total for p in found_C] if total >= ENOUGH else None


def _begins(label: str, token: str) -> bool:
    return bool(token) and label.startswith(token)
