"""Observations: states as elements of a Gymnasium space."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from gymnasium import Space

from simdistill.envs.spaces import box, element, flat_space, space_of
from simdistill.errors import InputError, ProcessError
from simdistill.simulation import EPISODE, PLAN, TRAIN, Parameters, ProcessModel, numbers
from simdistill.simulation.forms import Encoding
from simdistill.simulation.policies import RandomPolicy
from simdistill.simulation.states import State, fresh
from simdistill.simulation.streams import Streams

PROBES = 3
"""Number of episodes from which the form of states is collected."""
DECISIONS = 60
"""Largest number of decisions of such an episode."""

MOST_KEPT = 64
"""Number of results of `probe` that are kept, as several environments of one process need the same."""

View = Literal["spaces", "flat", "numbers"]
"""How states are observed, see `Observer`."""


class Observer:
    """Turns the states of a process into observations.

    A state that consists of a fixed number of numbers is observed as a `Box` of these numbers, in their order
    in the state. Other states are observed as a `Dict` with all that they hold or, in the view "flat", as a
    `Box` of their features; `simdistill.simulation.forms.form` says which features these are.

    Args:
        simulator: The process model's class.
        params: The model's parameters.
        horizon: Simulated time after which an episode is over.
        view: "spaces", "flat", or "numbers" for the numbers alone, as environments of version 0 have them.

    Attributes:
        space: The space of the observations.
        max_choices: The most choices that a question can have.

    Raises:
        InputError: If states can't be encoded; the message names the field and the value.
    """

    def __init__(self, simulator: type[ProcessModel], params: Parameters, horizon: float, view: View):
        self.name, self.view = simulator.__name__, view
        probed = probe(simulator, params, horizon, 1 if view == "numbers" else PROBES)
        states, self.max_choices = probed.states, probed.max_choices
        self._numbers = len(numbers(states[0]))
        if view == "numbers":
            self.space: Space = box(self._numbers)
            return
        try:
            self._encoding = Encoding.of(states, simulator.observes)
            for state in states:
                self._encoding.row(state)
        except InputError as error:
            raise InputError(f"{self.name}.observe(): {error}") from None
        if view == "flat" and (unreadable := self._encoding.unreadable()):
            raise InputError(
                f"{self.name}.observe(): the state's {unreadable[0]} takes too many different texts for a "
                f"category, as in {_example(states[0], unreadable[0])}, and has no place in a flat "
                "observation; declare its values by Literal or an Enum in `observes`, or as Words if it is "
                "only to be read"
            )
        if self._encoding.plain:
            self.space = box(self._numbers)
        else:
            self.space = flat_space(self._encoding) if view == "flat" else space_of(self._encoding.form)

    def __call__(self, state: State) -> Any:
        """Returns the observation of a state.

        Raises:
            InputError: If a value can't be encoded; the message names the field and the value.
        """
        if self.view == "numbers":
            values = numbers(state)
            if len(values) != self._numbers:
                raise InputError(
                    f"{self.name}.observe() gave {len(values)} numbers, at first it gave {self._numbers}; an "
                    "environment needs the same ones at every decision"
                )
            return np.array(values)
        try:
            if self.view == "flat" or self._encoding.plain:
                return np.array(self._encoding.row(state))
            return element(self._encoding.form, state)
        except InputError as error:
            raise InputError(f"{self.name}.observe(): {error}") from None


@dataclass(frozen=True)
class Probed:
    """What some episodes of a process showed.

    Attributes:
        states: The states at the episodes' decisions; there is at least one.
        max_choices: The most choices that a question can have.
    """

    states: Sequence[State]
    max_choices: int


_probed: dict[tuple, Probed] = {}


def probe(simulator: type[ProcessModel], params: Parameters, horizon: float, episodes: int) -> Probed:
    """Plays episodes with random decisions, always the same ones, and returns what they showed.

    Args:
        simulator: The process model's class.
        params: The model's parameters.
        horizon: Simulated time after which an episode is over; its first decision may come later.
        episodes: Number of episodes; of an episode that fails, the states before the failure count.

    Raises:
        InputError: If the process ends without a decision.
        ProcessError: If the process fails before its first decision.
    """
    key = (simulator, repr(params), horizon, episodes)
    if key not in _probed:
        if len(_probed) >= MOST_KEPT:
            _probed.clear()
        _probed[key] = _probe(simulator, params, horizon, episodes)
    return _probed[key]


def _probe(simulator: type[ProcessModel], params: Parameters, horizon: float, episodes: int) -> Probed:
    states: list[State] = []
    for number in range(episodes):
        model = simulator(params, (0, TRAIN, EPISODE, number))
        rule = RandomPolicy(Streams((*model.seed_path, PLAN)))
        try:
            decision = model.advance()
            for _ in range(DECISIONS if episodes > 1 else 1):
                if decision is None:
                    break
                states.append(fresh(model.state(decision)))
                model.answer(rule(states[-1], decision.labels))
                decision = model.advance(horizon)
        except ProcessError:
            if not states:
                raise
        if number == 0 and not states:
            raise InputError(
                f"{simulator.__name__}: the process ended without a decision; does it reach decide()?"
            )
    return Probed(states, model.max_choices)


def _example(state: State, where: str) -> str:
    """Returns the field of a state in which a place is, and its value, in at most 80 characters."""
    name = where.partition(".")[0].partition("[")[0]
    text = f"{name} = {state.get(name)!r}"
    return text if len(text) <= 80 else f"{text[:77]}..."
