"""SimPy's environment, which can stop in the middle of an instant to let a question be answered."""

import math
from collections.abc import Callable
from heapq import heappop
from typing import Any

import simpy
from simpy.core import BoundClass, EmptySchedule

from simdistill.errors import InputError
from simdistill.simulation.decisions import Decision

_BOUND = {name: kind for name, kind in vars(simpy.Environment).items() if isinstance(kind, BoundClass)}
"""What makes events; SimPy binds it to an environment early, for speed, but not to one of a subclass."""


class StoppingEnvironment(simpy.Environment):
    """An environment that stops as soon as a process waits for a question that is to be put at once.

    An event of SimPy resumes the processes that wait for it one after the other, in the order in which they
    began to wait. Where one of them asks at once, the rest aren't resumed before it has its answer: it goes
    on as if it had worked the answer out by itself.

    Attributes:
        at_once: Questions that are to be put at once, from `decide` until they have been put.
        episode_world: Where the random numbers of its episode come from; None if it isn't a process model's.
        own_code: The code that may run the environment itself; None where a model only starts its processes.
        adopted: Whether it was made by the model's own code.
        simdistill_model: The function-style model that it belongs to.
    """

    episode_world: Any = None
    own_code: Any = None
    adopted = False
    simdistill_model: Any = None

    def __init__(self):
        super().__init__()
        for name, kind in _BOUND.items():
            setattr(self, name, kind.__get__(self))  # pyright: ignore[reportArgumentType]
        self.at_once: list[Decision] = []
        self._rest: list[tuple[simpy.Event, list[Callable]]] = []  # of events that were stopped, latest last

    @property
    def mid_event(self) -> bool:
        """Whether processes that the present event resumes haven't been resumed yet."""
        return bool(self._rest)

    def peek(self) -> float:
        """Returns the time of the next event; now, if one isn't finished."""
        if self._rest:
            return self._now
        return self._queue[0][0] if self._queue else math.inf

    def run(self, until: Any = None) -> Any:
        """Lets a model's own code run it; elsewhere, who decides goes on from question to question.

        Args:
            until: A time, an event, or None for as long as anything happens.

        Raises:
            InputError: If the model isn't one that runs its environment itself.
        """
        if self.own_code is not None:
            return self.own_code.run(self, until)
        raise InputError(
            "take env.run() out of the model: who decides runs the environment itself, from question to "
            "question"
        )

    def step(self) -> None:
        """Processes the next event, or what is left of the present one, up to a question put at once."""
        if self._rest:
            self.resume_waiting(*self._rest.pop())
            return
        try:
            self._now, _, _, event = heappop(self._queue)
        except IndexError:
            raise EmptySchedule from None
        callbacks, event.callbacks = event.callbacks, None  # type: ignore
        self.resume_waiting(event, callbacks)

    @property
    def stepped_by_others(self) -> bool:
        """Whether `step` is not the one below: an author's own, or one that somebody watches by."""
        return "step" in vars(self) or type(self).step is not StoppingEnvironment.step

    def events_until_asked(
        self, until: float, most: int, pending: list[Decision], asleep: list[Decision]
    ) -> int:
        """Processes events as `step` does, one after the other, until a question waits.

        Args:
            until: Simulated time after which no event is processed.
            most: The most events.
            pending: Questions that wait for the end of the instant.
            asleep: Questions that wait for the next event.

        Returns:
            How many; 0 if the next event is not there, is too late, or was begun already.
        """
        queue, at_once, rest = self._queue, self.at_once, self._rest
        if at_once or rest or pending or asleep:
            return 0
        for done in range(most):
            if not queue or queue[0][0] > until:
                return done
            self._now, _, _, event = heappop(queue)
            callbacks, event.callbacks = event.callbacks, None  # type: ignore
            if event._ok and len(callbacks) == 1:  # nearly all are like this
                callbacks[0](event)
            else:
                self.resume_waiting(event, callbacks)
            if at_once or rest or pending or asleep:
                return done + 1
        return most

    def resume_waiting(self, event: simpy.Event, callbacks: list[Callable[[Any], None]]) -> None:
        """Resumes the processes that wait for an event, up to a question put at once."""
        at_once = self.at_once
        for number, callback in enumerate(callbacks, start=1):
            callback(event)
            if at_once and number < len(callbacks) and any(decision.callbacks for decision in at_once):
                self._rest.append((event, callbacks[number:]))
                return
        if not event._ok and not hasattr(event, "_defused"):  # as SimPy does
            error = type(event._value)(*event._value.args)
            error.__cause__ = event._value
            raise error
