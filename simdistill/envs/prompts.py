"""Prompts: states in words, as the student reads them."""

from collections.abc import Sequence
from functools import cached_property

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from simdistill.config import LanguageConfig
from simdistill.errors import InputError

_JINJA = ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


class Prompter:
    """Renders a task's templates. Tasks may come from strangers, so templates run in a sandbox.

    Args:
        config: Templates of the description and of the situation.
    """

    def __init__(self, config: LanguageConfig):
        self._description = _template("description", config.description)
        self._situation = _template("situation", config.situation)

    @cached_property
    def description(self) -> str:
        """The system message, which is the same for every question."""
        return _render("description", self._description, {})

    def situation(self, state: dict) -> str:
        """Puts a state into words.

        Raises:
            InputError: If the template asks for something that the state doesn't have.
        """
        return _render("situation", self._situation, state)

    def decision(self, state: dict) -> list[dict[str, str]]:
        """Returns the chat messages of a question: the description as system, the situation as user."""
        return [
            {"role": "system", "content": self.description},
            {"role": "user", "content": self.situation(state)},
        ]

    def forecast(self, state: dict, question: str, labels: Sequence[str]) -> list[dict[str, str]]:
        """Returns the chat messages of a forecast: those of a decision, with the forecast's question."""
        system, user = self.decision(state)
        text = f"{user['content']}\n{question} Answer {', '.join(labels[:-1])} or {labels[-1]}."
        return [system, {"role": "user", "content": text}]


def _template(field: str, text: str) -> Template:
    try:
        return _JINJA.from_string(text)
    except TemplateError as error:
        raise InputError(f"task.language.{field} is no valid template: {error}") from None


def _render(field: str, template: Template, values: dict) -> str:
    try:
        return template.render(values).strip()
    except Exception as error:  # an expression in a template can raise anything: 1 / 0, a range too big
        raise InputError(
            f"task.language.{field}: {error}; the state has {', '.join(values) or 'nothing to say here'}"
        ) from None
