"""Decisions: the questions that a process puts, and their choices."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import simpy

WAIT = "wait"
"""A choice that puts the question again at the next change of state."""


@dataclass(frozen=True)
class Quantity:
    """Choices of an amount: `low`, `low + step`, … up to `high`."""

    low: int
    high: int
    step: int = 1

    def labelled(self) -> dict[str, int]:
        """Returns label -> amount."""
        return {str(amount): amount for amount in range(self.low, self.high + 1, self.step)}


Choices = Sequence[str] | Mapping[str, Any] | Quantity | Callable[[], Any]
"""What `decide` takes: labels, label -> object, an amount, or a function that returns one of these."""


class Decision(simpy.Event):
    """A question that a process puts: an event that succeeds with the chosen object.

    Attributes:
        question: The question in words.
        about: What it is about: an entity, a resource, anything that `observe` needs.
        decider: Who decides.
        at: When it is put: "once" means as soon as a process waits for it, "end" means when nothing else
            remains to happen at this time.
        labels: Labels of the legal choices, settled when the question is put.
    """

    withdrawn = False
    asleep_until_event = 0
    _objects: Mapping[str, Any] = MappingProxyType({})

    def __init__(
        self,
        env: simpy.Environment,
        question: str,
        choices: Choices,
        about: Any,
        decider: str,
        priority: int,
        at: str = "end",
    ):
        super().__init__(env)
        self.question, self.about, self.decider = question, about, decider
        self.priority, self.at = priority, at
        self.labels: list[str] = []
        self._choices = choices

    def settle(self) -> None:
        """Works out the legal choices as they are now."""
        choices: Any = self._choices
        if type(choices) is not dict:  # the usual kind first: this runs at every decision
            if callable(choices):
                choices = choices()
            if isinstance(choices, Quantity):
                choices = choices.labelled()
            elif not isinstance(choices, Mapping):
                choices = {label: label for label in choices}
        self._objects = choices
        self.labels = list(choices)

    def withdraw(self) -> None:
        """Takes the question back; the process that waits for it must have been interrupted."""
        self.withdrawn = True

    def resolve(self, label: str) -> None:
        """Hands the chosen object to the process that asked, which goes on at once."""
        self._ok, self._value = True, self._objects[label]
        # As SimPy does when the event's turn has come; through `succeed()` it would have to wait for others
        # of this instant.
        waiting, self.callbacks = self.callbacks, None  # pyright: ignore[reportAttributeAccessIssue]
        self.env.resume_waiting(self, waiting)  # pyright: ignore[reportAttributeAccessIssue]


def letters(count: int) -> list[str]:
    """Returns `count` short labels: A, B, …, Z, A1, B1, …"""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    numbers = itertools.count()
    return [alphabet[n % 26] + (str(n // 26) if n >= 26 else "") for n in itertools.islice(numbers, count)]
