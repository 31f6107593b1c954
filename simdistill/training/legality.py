"""A reward that stops training if no sampled answer is ever a choice: the model would learn nothing."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from simdistill.data.answers import SHOWN, listed, parse, said
from simdistill.errors import InputError

PATIENCE = 20
"""Number of consecutive steps without a legal answer after which training ends."""


class Legality:
    """A reward function that also counts consecutive calls in which no completion was one of the choices.

    Args:
        reward: The reward function whose results are returned.
        patience: Number of such calls after which `InputError` is raised; a call has the samples of a step.
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
            # Completions of several steps are kept, as one step may have fewer than the message shows.
            self._last.extend(pairs)
        if self.without == self.patience:
            raise InputError(self._told())
        return self.reward(completions=completions, choices=choices, **columns)

    def _told(self) -> str:
        return (
            f"no sampled answer of {self.patience} steps in a row was one of the choices, so there is "
            "nothing to reward. Train the student to give answers first (method=sft_grpo), or explain the "
            f"form of an answer in task.language.description. Its last answers:{listed(self._last)}"
        )
