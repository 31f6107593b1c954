"""Dialects of OpenAI-compatible servers: the parts of a request that a server supports."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

LIMIT = 5
"""Number of log-probabilities of a token that all servers with a limit allow."""


@dataclass(frozen=True)
class Dialect:
    """The request parameters that one server supports for one model.

    Attributes:
        top: Largest number of tokens whose log-probabilities may be requested; 0 for none.
        budget: Name of the field that limits an answer's tokens.
        temperature: Whether temperature 0 may be requested; else the server's default is used.
        system: Whether there is a system role; else the system text begins the user's message.
    """

    top: int = 20
    budget: str = "max_tokens"
    temperature: bool = True
    system: bool = True

    def spoken(self, body: dict) -> dict:
        """Returns a request in this dialect.

        Args:
            body: A request with all or some of `max_tokens`, `temperature`, `logprobs` and `top_logprobs`.
        """
        said = dict(body)
        if "max_tokens" in said:
            said[self.budget] = said.pop("max_tokens")
        if not self.temperature:
            said.pop("temperature", None)
        if self.top == 0:
            said.pop("logprobs", None)
            said.pop("top_logprobs", None)
        elif "top_logprobs" in said:
            said["top_logprobs"] = min(self.top, said["top_logprobs"])
        if not self.system:
            said["messages"] = _without_system(said["messages"])
        return said

    def named(self, refusal: str) -> "Dialect | None":
        """Returns the dialect without the parameter that a refusal names; None if it names none of them."""
        text = refusal.lower()
        if "logprob" in text and self.top:
            return replace(self, top=self._fewer(text))
        if re.search(r"max_(completion_)?tokens", text) and self.budget == "max_tokens":
            return replace(self, budget="max_completion_tokens")
        if "temperature" in text and self.temperature:
            return replace(self, temperature=False)
        if re.search(r"\broles?\b|(system|developer) (message|prompt|instruction)", text) and self.system:
            return replace(self, system=False)
        return None

    def simpler(self) -> Iterator["Dialect"]:
        """Yields simpler dialects for a server that gives no reason: without one parameter, then several."""
        less = [{"top": 0}, {"system": False}, {"budget": "max_completion_tokens"}, {"temperature": False}]
        single = [replace(self, **change) for change in less]
        several = [replace(self, **{n: v for one in less[:end] for n, v in one.items()}) for end in (2, 3, 4)]
        yield from (found for found in dict.fromkeys((*single, *several)) if found != self)

    def _fewer(self, text: str) -> int:
        """Returns the number of log-probabilities that a refusal allows; by default `LIMIT`, then 0."""
        allowed = [int(number) for number in re.findall(r"\d+", text) if 0 < int(number) < self.top]
        return max(allowed) if allowed else LIMIT if self.top > LIMIT else 0


def _without_system(messages: list[dict]) -> list[dict]:
    """Returns the messages with the system text moved to the beginning of the following message."""
    system, *rest = messages
    if system["role"] != "system" or not rest:
        return messages
    return [{**rest[0], "content": f"{system['content']}\n\n{rest[0]['content']}"}, *rest[1:]]
