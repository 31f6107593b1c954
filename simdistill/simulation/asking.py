"""The base class that puts a process's questions, one after the other, and takes the answers."""

import math
from collections.abc import Callable
from typing import Any, ClassVar

from simpy.core import EmptySchedule

from simdistill.errors import ProcessError
from simdistill.simulation.alive import WATCHED, endless_processes, told
from simdistill.simulation.decisions import WAIT, Decision
from simdistill.simulation.environment import StoppingEnvironment
from simdistill.simulation.monitors import Monitored
from simdistill.simulation.rng.running import running
from simdistill.simulation.streams import World

MOST_UNAWAITED = 1000
"""Questions to be put at once that may wait for a process to yield them."""


class Asking(Monitored):
    """Runs a process from question to question.

    Attributes:
        max_choices: The most choices that a question can have; a number, or a property of the parameters.
        max_silent_events: Events without a question after which the process is taken to be stuck.
        world: Where this episode's random numbers come from.
        seed_path: Seed path of this episode.
        env: The SimPy environment.
        illegal_answers: How many answers the fallback has replaced so far.
    """

    max_choices: Any = 2
    max_silent_events: ClassVar[int] = 1_000_000
    world: World
    seed_path: tuple[int, ...]
    env: StoppingEnvironment

    def __init__(self):
        super().__init__(StoppingEnvironment())
        self.illegal_answers = 0
        self._pending: list[Decision] = []  # to be put at the end of their instant
        self._asleep: list[Decision] = []  # to be put again after the next event
        self._put: Decision | None = None
        self._events = 0
        self._chosen = False  # whether a question was put in the midst of an event, by `choose`
        self._most_labels = 0  # that have been compared with `max_choices`

    def final_cost(self) -> float:
        """Returns a cost that falls due when the episode ends."""
        raise NotImplementedError

    def fallback(self, decision: Decision) -> str:
        """Returns the choice taken in place of an illegal answer."""
        raise NotImplementedError

    def advance(self, until: float = math.inf) -> Decision | None:
        """Runs the process up to its next question.

        Args:
            until: Simulated time at which to stop all the same.

        Returns:
            The decision with its `labels`, or None when the process has ended or `until` is reached.

        Raises:
            ProcessError: If the process fails, runs on without a question, or offers no choice.
        """
        if self._put is not None:
            raise ProcessError(*self._where(), "the last question has no answer yet")
        env, pending, at_once, events = self.env, self._pending, self.env.at_once, self._events
        asleep, peek, step = self._asleep, env.peek, env.step
        began, quiet_until = env.now, events + self.max_silent_events
        alone = not env.stepped_by_others
        before, running.sources = running.sources, self.world.sources
        try:
            while True:
                if asleep and asleep[0].asleep_until_event <= events and not env.mid_event:
                    at_once += asleep
                    asleep.clear()
                if at_once:
                    self._events = events
                    if (decision := self._ask(at_once)) is not None:
                        return decision
                    if self._events > events:
                        events = self._events
                        continue
                following = peek()
                if pending and following > env.now:
                    self._events = events
                    decision = self._ask(pending)
                    if decision is not None:
                        return decision
                    if self._events > events:  # a sole choice was taken, and more may happen at this instant
                        events = self._events
                        continue
                if following > until:
                    return None
                if events >= quiet_until:
                    self._runs_on(began, until)
                    began, quiet_until = env.now, events + self.max_silent_events
                if alone and (done := env.process_events(until, quiet_until - events, pending, asleep)):
                    events += done
                    continue
                events += 1
                step()
        except EmptySchedule:
            return None
        except ProcessError:
            raise
        except Exception as error:
            raise self._failed(error) from error
        finally:
            self._events, running.sources = events, before

    def answer(self, label: str) -> None:
        """Answers the question last put.

        An illegal answer is counted in `illegal_answers` and replaced by the declared fallback.
        """
        decision = self._put
        if decision is None:
            raise ProcessError(*self._where(), "no question is waiting for an answer")
        if label not in decision.labels:
            self.illegal_answers += 1
            label = self._guard(self.fallback, decision)
            if label not in decision.labels:
                reason = f"fallback() returned {label!r}, which isn't one of {decision.labels}"
                raise ProcessError(*self._where(), reason)
        self._put = None
        if label == WAIT:
            decision.asleep_until_event = self._events + 1
            (self._pending if decision.at == "end" else self._asleep).append(decision)
        else:
            self._events += 1
            before, running.sources = running.sources, self.world.sources
            try:
                decision.resolve(label)
            finally:
                running.sources = before

    @property
    def ended(self) -> bool:
        """Whether nothing can happen any more."""
        return self._put is None and self.env.peek() == math.inf

    def finish(self, time: float) -> float:
        """Ends the process at the end of a terminating task, even if something would still happen after it.

        Args:
            time: Simulated time at which the task ends; the clock is put forward to it unless the process has
                ended by itself before.

        Returns:
            The final cost, which falls due then.
        """
        if not self.ended and time > self.env.now:
            self.env._now = time
        return self._guard(self.final_cost)

    def _runs_on(self, began: float, until: float) -> None:
        """Raises an error if a process that hasn't asked for many events won't soon reach `until` either."""
        now, count = self.env.now, f"{self.max_silent_events:,} events passed without a decision"
        if self._chosen or (now > began and until < began + 100 * (now - began)):
            self._chosen = False
            return
        names = told(endless_processes(self, min(WATCHED, self.max_silent_events)))
        if self.env.now == began:
            reason = f"{count}, and time stands still: {names} never waits for anything that takes time"
            raise ProcessError(*self._where(), f"{reason}; give its loop a timeout")
        raise ProcessError(
            *self._where(),
            f"{count}: {names} goes on for ever. If the task ends at some time, say so: `kind: terminating` "
            "and its `horizon`, or `until` in Python. If it doesn't, a process must come to decide() again",
        )

    def _ask(self, pending: list[Decision]) -> Decision | None:
        """Puts the first pending question that has more than one choice, if there is one."""
        if len(pending) > 1 or pending[0].withdrawn:
            pending[:] = sorted((d for d in pending if not d.withdrawn), key=_turn)
            if len(pending) > MOST_UNAWAITED and pending is self.env.at_once:
                raise ProcessError(
                    *self._where(),
                    f"decide() was called {len(pending):,} times, as for {pending[0].question!r}, but no "
                    "process waits for the answer; write `answer = yield self.decide(...)`",
                )
        for decision in pending:
            if decision.asleep_until_event > self._events or not decision.callbacks:
                continue  # without callbacks nobody waits: not yielded yet, or interrupted since
            labels = self._labels(decision)
            pending.remove(decision)
            if len(labels) == 1 and labels[0] != WAIT:
                self._events += 1
                decision.resolve(labels[0])
                return None
            self._put = decision
            return decision
        return None

    def _labels(self, decision: Decision) -> list[str]:
        """Settles and checks the choices of a decision."""
        try:
            decision.settle()
        except (ProcessError, NotImplementedError):
            raise
        except Exception as error:
            raise self._failed(error) from error
        labels = decision.labels
        if not labels:
            raise ProcessError(*self._where(), f"{decision.question!r} offers no choice")
        if len(labels) > self._most_labels:
            if len(labels) > self.max_choices:
                raise ProcessError(
                    *self._where(),
                    f"{decision.question!r} offers {len(labels)} choices; "
                    f"{type(self).__name__}.max_choices is {self.max_choices}",
                )
            self._most_labels = len(labels)
        return labels

    def _where(self) -> tuple[str, tuple[int, ...], float]:
        return type(self).__name__, self.seed_path, self.env.now

    def _guard(self, call: Callable, *arguments: Any) -> Any:
        """Calls the author's code; errors become a `ProcessError` with simulator, episode, seed and time."""
        before, running.sources = running.sources, self.world.sources
        try:
            return call(*arguments)
        except (ProcessError, NotImplementedError):
            raise
        except Exception as error:
            raise self._failed(error) from error
        finally:
            running.sources = before

    def _failed(self, error: Exception) -> ProcessError:
        return ProcessError(*self._where(), f"{type(error).__name__}: {error}")


def _turn(decision: Decision) -> tuple[int, str]:
    """Sorts questions of one instant: by priority, then by the decider's name."""
    return decision.priority, decision.decider
