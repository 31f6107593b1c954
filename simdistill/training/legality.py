"""A reward that gives up on a model which never answers: it would learn nothing, and not say why."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from simdistill.data.answers import SHOWN, listed, parse, said
from simdistill.errors import InputError

PATIENCE = 20
"""Steps in a row without a legal answer after which training ends."""


class Legality:
    """A reward function that also counts for how long no completion has been one of the choices.

    Args:
        reward: What it returns.
        patience: Calls in a row without a legal answer; a call has the samples of a step.
    """

    def __init__(self, reward: Callable[..., list[float | None]], patience: int = PATIENCE):
        self.reward, self.patience, self.without = reward, patience, 0
        self._last: deque[tuple[str, Sequence[str]]] = deque(maxlen=SHOWN)
        self.__name__ = reward.__name__

    def __call__(
        self, completions: Sequence[Any], choices: Sequence[Sequence[str]], **columns: Any
    ) -> list[float | None]:
        pairs = [(said(completion), labels) for completion, labels in zip(completions, choices, strict=True)]
        if any(parse(text, labels).choice is not None for text, labels in pairs):
            self.without = 0
            self._last.clear()
        else:
            self.without += 1
            # Of several steps: one alone may have fewer than are shown.
            self._last.extend(pairs)
        if self.without == self.patience:
            raise InputError(self._told())
        return self.reward(completions=completions, choices=choices, **columns)

    def _told(self) -> str:
        return (
            f"no sampled answer of {self.patience} steps in a row was one of the choices, so there is "
            "nothing to reward. Teach the student how to answer first (method=sft_grpo), or say it in "
            f"task.language.description. The last it said:{listed(self._last)}"
        )
