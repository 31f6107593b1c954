"""A SimPy model with decisions: `answer = yield self.decide(...)`."""

import json
import math
import warnings
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, ClassVar

import pydantic
import simpy
from simpy.core import EmptySchedule

from simdistill.errors import InputError, ProcessError
from simdistill.simulation.decisions import WAIT, Choices, Decision
from simdistill.simulation.distributions import Distribution
from simdistill.simulation.forecasts import Forecast
from simdistill.simulation.known_case import Experiment, KnownCase
from simdistill.simulation.monitors import Monitored
from simdistill.simulation.parameters import Parameters
from simdistill.simulation.policies import Policy
from simdistill.simulation.streams import Streams, World


class ProcessModel(Monitored):
    """Base class of a simulator: a SimPy model whose processes put questions.

    An author writes `Params`, `build` and `observe`, and may write `fingerprint`, `final_cost`, `fallback`.
    Its processes call `decide`, `duration`, `poisson`, `draw`, `cost_rate`, `charge`, `level` and `tally`.

        class Door(ProcessModel):
            def build(self):
                self.inside = 0
                self.env.process(self.arrivals())

            def arrivals(self):
                for visitor in itertools.count():
                    yield self.duration("arrival", visitor, exponential(1.0))
                    if (yield self.decide("Let in?", ["yes", "no"])) == "yes":
                        self.inside += 1

            def observe(self, decision):
                return {"inside": self.inside}

    Args:
        params: Parameters, a mapping of some of them, or None for the defaults.
        world: Where random numbers come from; a seed path makes a fresh one.

    Attributes:
        Params: Parameters of the simulator, with units, bounds and defaults.
        max_choices: The most choices that a question can have; a number, or a property of the parameters.
        cost_weights: Name of a cost -> its weight in the total cost; 1 where none is given.
        policies: Name -> policy; the rules with which a student is compared.
        forecasts: Outcomes that a student is asked to forecast.
        families: Families of known answers that the simulator reproduces, see `experiment`.
        max_silent_events: Events without a question after which the process is taken to be stuck.
        params: The parameters of this episode.
        world: Where this episode's random numbers come from.
        seed_path: Seed path of this episode.
        env: The SimPy environment.
        illegal_answers: How many answers the fallback has replaced so far.

    Raises:
        InputError: If a parameter is unknown, of the wrong type or out of bounds.
    """

    Params: ClassVar[type[Parameters]] = Parameters
    max_choices: Any = 2
    policies: ClassVar[Mapping[str, Policy]] = {}
    forecasts: ClassVar[Sequence[Forecast]] = ()
    families: ClassVar[Sequence[str]] = ()
    max_silent_events: ClassVar[int] = 1_000_000

    def __init__(self, params: Parameters | Mapping | None = None, world: World | tuple[int, ...] = (0,)):
        self.params: Any = self.parse(params)
        self.world = world if isinstance(world, World) else World(Streams(world))
        self.seed_path = self.world.path
        super().__init__(simpy.Environment())
        self.illegal_answers = 0
        self._pending: list[Decision] = []
        self._put: Decision | None = None
        self._events = 0
        self._most_labels = 0  # that have been compared with `max_choices`
        self._guard(self.build)

    # What a simulator's author writes.

    def build(self) -> None:
        """Creates the resources and starts the processes."""
        raise NotImplementedError(f"{type(self).__name__} needs a method build(self)")

    def observe(self, decision: Decision) -> dict:
        """Returns what the decider may see, as JSON-able values with string keys, and nothing else."""
        raise NotImplementedError(f"{type(self).__name__} needs a method observe(self, decision)")

    def fingerprint(self) -> Hashable | None:
        """Returns all that the future depends on besides the random numbers, or None if that isn't known.

        Two branches of one future whose fingerprints are equal at the same time stay equal; what-if search
        then stops early and exactly.
        """
        return None

    def final_cost(self) -> float:
        """Returns a cost that falls due when the episode ends."""
        return 0.0

    def fallback(self, decision: Decision) -> str:
        """Returns the choice taken in place of an illegal answer; the first one unless overridden."""
        return decision.labels[0]

    @classmethod
    def experiment(cls, case: KnownCase) -> Experiment:
        """Returns how to reproduce a known answer; for simulators that name `families`."""
        raise NotImplementedError(f"{cls.__name__} names families and needs experiment(cls, case)")

    # What a simulator's author calls.

    def decide(
        self, question: str, choices: Choices, about: Any = None, decider: str = "", priority: int = 0
    ) -> Decision:
        """Puts a question; the process yields it and receives the chosen object.

        Args:
            question: The question in words.
            choices: Labels, a mapping from labels to objects, a `Quantity`, or a callable that gives one of
                these when the question is put (once nothing else happens at this instant).
            about: Handed to `observe`.
            decider: Who decides.
            priority: Among questions of one instant the lowest goes first, then the decider's name.
        """
        decision = Decision(self.env, question, choices, about, decider, priority)
        self._pending.append(decision)
        return decision

    def duration(self, source: str, entity: int, distribution: Distribution, visit: int = 0) -> simpy.Event:
        """Returns a timeout of random length; neither deciders nor branches know its length beforehand.

        Args:
            source: What takes this long, e.g. "repair".
            entity: Number of the entity, given by the world and not by decisions: an arrival's index, a
                period.
            distribution: Distribution of its length, in the model's time unit.
            visit: Distinguishes several of one entity.
        """
        return self.env.timeout(self.world.duration(source, entity, distribution, self.env.now, visit))

    def poisson(self, source: str, rate: float) -> simpy.Event:
        """Returns an event at the next point of the source's Poisson process.

        An exponential duration can be drawn like this, because its rest doesn't depend on its age. Two runs
        that differ by one job then couple as soon as their numbers of jobs are equal, because busy servers
        finish at the same points.

        Args:
            source: Name of the source, e.g. "service at A".
            rate: Points per unit of time; fixed for the episode.
        """
        now = self.env.now
        return self.env.timeout(self.world.tick(source, rate, now) - now)

    def draw(self, source: str, entity: int, distribution: Distribution, visit: int = 0) -> float:
        """Returns a random number that deciders and branches may know from now on, e.g. a job's size.

        Args:
            source: What the number is, e.g. "size".
            entity: Number of the entity, as in `duration`.
            distribution: Distribution of the number.
            visit: Distinguishes several of one entity.
        """
        return self.world.number(source, entity, distribution, visit)

    def log(self, activity: str, **entities: Any) -> None:
        """Adds an event to the event log, e.g. `self.log("service begins", job=17, server="A")`.

        Nothing happens unless the simulator is recorded; see `simdistill.simulation.event_log`.

        Args:
            activity: What happened, the same words each time.
            entities: Kind of an entity -> which one, or a list of several.
        """

    # What runs a process: environments, rollouts and what-if branches.

    @classmethod
    def parse(cls, params: Parameters | Mapping | None) -> Parameters:
        """Returns checked parameters.

        Raises:
            InputError: If a parameter is wrong; the message names every wrong field, its value and its bound.
        """
        if isinstance(params, cls.Params):
            return params
        try:
            return cls.Params.model_validate(dict(params or {}))
        except pydantic.ValidationError as error:
            lines = [
                f"{'.'.join(map(str, (cls.__name__, *e['loc'])))} = {e['input']!r}: {e['msg']}"
                for e in error.errors()
            ]
            raise InputError("\n".join(lines)) from None

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
        env, pending, events = self.env, self._pending, self._events
        peek, step = env.peek, env.step
        quiet_until = events + self.max_silent_events
        try:
            while events < quiet_until:
                following = peek()
                if pending and following > env.now:
                    self._events = events
                    decision = self._ask()
                    if decision is not None:
                        return decision
                    if self._events > events:  # a sole choice was taken, and more may happen at this instant
                        events = self._events
                        continue
                if following > until:
                    return None
                events += 1
                step()
            reason = f"{self.max_silent_events:,} events passed without a decision"
            raise ProcessError(*self._where(), f"{reason}; does the process still reach decide()?")
        except EmptySchedule:
            return None
        except ProcessError:
            raise
        except Exception as error:
            raise self._failed(error) from error
        finally:
            self._events = events

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
            self._pending.append(decision)
        else:
            self._events += 1
            decision.resolve(label)

    def observe_unchecked(self, decision: Decision) -> dict:
        """Returns `observe(decision)` as it is; fast enough for branches.

        Raises:
            ProcessError: If `observe` raises.
        """
        try:
            return self.observe(decision)
        except (ProcessError, NotImplementedError):
            raise
        except Exception as error:
            raise self._failed(error) from error

    def state(self, decision: Decision) -> dict:
        """Returns `observe(decision)` after checking that it is JSON.

        Raises:
            ProcessError: If `observe` raises, or naming the value that JSON doesn't know.
        """
        state = self.observe_unchecked(decision)
        try:
            json.dumps(state, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ProcessError(
                *self._where(), f"observe() returned {state!r}, which is not JSON: {error}"
            ) from None
        if not isinstance(state, dict):
            raise ProcessError(*self._where(), f"observe() returned a {type(state).__name__}, not a dict")
        return state

    def look(self, decision: Decision) -> dict:
        """Deprecated name of `observe_unchecked`."""
        warnings.warn("look() is now called observe_unchecked()", DeprecationWarning, stacklevel=2)
        return self.observe_unchecked(decision)

    @property
    def ended(self) -> bool:
        """Whether nothing can happen any more."""
        return self._put is None and self.env.peek() == math.inf

    def _ask(self) -> Decision | None:
        """Puts the first pending question that has more than one choice, if there is one."""
        pending = self._pending
        if len(pending) > 1 or pending[0].withdrawn:
            pending[:] = sorted((d for d in pending if not d.withdrawn), key=_turn)
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
        try:
            return call(*arguments)
        except (ProcessError, NotImplementedError):
            raise
        except Exception as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> ProcessError:
        return ProcessError(*self._where(), f"{type(error).__name__}: {error}")


def _turn(decision: Decision) -> tuple[int, str]:
    """Sorts questions of one instant: by priority, then by the decider's name."""
    return decision.priority, decision.decider
