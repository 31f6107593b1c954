"""A SimPy model with decisions: `answer = yield self.decide(...)`."""

import json
import warnings
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, ClassVar, Literal

import pydantic
import simpy

from simdistill.errors import InputError, ProcessError
from simdistill.simulation.asking import Asking
from simdistill.simulation.decisions import Choices, Decision
from simdistill.simulation.distributions import AnyDistribution, told
from simdistill.simulation.forecasts import Forecast
from simdistill.simulation.known_case import Experiment, KnownCase
from simdistill.simulation.parameters import Parameters
from simdistill.simulation.policies import Policy
from simdistill.simulation.script import Script
from simdistill.simulation.streams import Streams, World


class ProcessModel(Asking):
    """Base class of a simulator: a SimPy model whose processes put questions.

    An author writes `Params`, `build` and `observe`, and may write `fingerprint`, `final_cost`, `figures`,
    `fallback`.
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
        observes: Type of what `observe` returns, a TypedDict or a pydantic model; needed only if states hold
            texts, missing values or lists of varying length. Without it, their form is collected from states.
        runs_itself: Whether its code makes the environment and calls `env.run()`; `process_model` sets it.
        script: The model's code, if it runs in a greenlet.
        families: Families of known answers that the simulator reproduces, see `experiment`.
        decides_at: When a question is put for which `decide` gets no `at`: "once" or "end", see `decide`.
        chooses: Whether the model calls `choose`; its code then runs in a greenlet of its own.
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
    policies: ClassVar[Mapping[str, Policy]] = {}
    forecasts: ClassVar[Sequence[Forecast]] = ()
    observes: ClassVar[type | None] = None
    families: ClassVar[Sequence[str]] = ()
    decides_at: ClassVar[Literal["once", "end"]] = "once"
    chooses: ClassVar[bool] = False
    runs_itself: ClassVar[bool] = False
    script: Script | None = None

    def __init__(self, params: Parameters | Mapping | None = None, world: World | tuple[int, ...] = (0,)):
        self.params: Any = self.parse(params)
        self.world = world if isinstance(world, World) else World(Streams(world))
        self.seed_path = self.world.path
        super().__init__()
        self.world.begin(self.env)
        if self.chooses or self.runs_itself:
            Script(self, self.runs_itself)
        else:
            self._guard(self.build)

    # What a simulator's author writes.

    def build(self) -> None:
        """Creates the resources and starts the processes."""
        raise NotImplementedError(f"{type(self).__name__} needs a method build(self)")

    def observe(self, decision: Decision) -> dict:
        """Returns what the decider may see, as JSON-able values with string keys, and nothing else."""
        raise NotImplementedError(f"{type(self).__name__} needs a method observe(self, decision)")

    def fingerprint(self) -> Hashable | None:
        """Returns all that future and final costs depend on besides the random numbers, or None if unknown.

        Two branches of one future whose fingerprints are equal at the same time stay equal; what-if search
        then stops early and exactly. If it is None, the search compares scheduled events and observed states.
        """
        return None

    def final_cost(self) -> float:
        """Returns a cost that falls due when the episode ends."""
        return 0.0

    def figures(self) -> Mapping[str, float]:
        """Returns what an episode came to, by name, at its end; `simdistill validate` compares it.

        Costs, levels and tallies are compared without it.
        """
        return {}

    def fallback(self, decision: Decision) -> str:
        """Returns the choice taken in place of an illegal answer; the first one unless overridden."""
        return decision.labels[0]

    @classmethod
    def experiment(cls, case: KnownCase) -> Experiment:
        """Returns how to reproduce a known answer; for simulators that name `families`."""
        raise NotImplementedError(f"{cls.__name__} names families and needs experiment(cls, case)")

    # What a simulator's author calls.

    def decide(
        self,
        question: str,
        choices: Choices,
        about: Any = None,
        decider: str = "",
        priority: int = 0,
        at: Literal["once", "end"] | None = None,
    ) -> Decision:
        """Puts a question; the process yields it and receives the chosen object.

        A question that is put at once stops everything until it is answered. The process goes on as if it had
        worked the answer out by itself at this line, so a rule gives the same results in the model and as a
        policy. A question that is put at the end waits until nothing else remains to happen at this instant.
        A dispatcher then sees all jobs that arrive, and all machines that come free, at one time.

        Args:
            question: The question in words.
            choices: Labels, a mapping from labels to objects, a `Quantity`, or a callable that gives one of
                these when the question is put.
            about: Handed to `observe`.
            decider: Who decides.
            priority: Among questions that wait together the lowest goes first, then the decider's name.
            at: When the question is put: "once" means as soon as a process waits for it, "end" means at the
                end of the instant; None stands for the class's `decides_at`.
        """
        at = at or self.decides_at
        if at not in ("once", "end"):
            raise InputError(f'decide({question!r}): at must be "once" or "end", got {at!r}')
        decision = Decision(self.env, question, choices, about, decider, priority, at)
        (self._pending if at == "end" else self.env.at_once).append(decision)
        return decision

    def choose(self, question: str, choices: Choices, about: Any = None, decider: str = "") -> Any:
        """Puts a question at once and returns the chosen object, where no process can yield.

        A rule that is a plain function, called in the middle of other code or as an event's callback, asks
        like this; `decide` is for processes, and costs less. The class says `chooses = True`.

        Args:
            question: The question in words.
            choices: As in `decide`; `WAIT` can't be among them.
            about: Handed to `observe`.
            decider: Who decides.

        Raises:
            InputError: If the class doesn't say that it chooses.
        """
        if self.script is None:
            raise InputError(
                f"choose({question!r}): say that {type(self).__name__} calls choose(): `chooses = True` in "
                "the class, or process_model(…, chooses=True)"
            )
        return self.script.choose(Decision(self.env, question, choices, about, decider, 0, "once"))

    def duration(
        self, source: str, entity: int, distribution: AnyDistribution, visit: int = 0
    ) -> simpy.Event:
        """Returns a timeout of random length; neither deciders nor branches know its length beforehand.

        Args:
            source: What takes this long, e.g. "repair".
            entity: Number of the entity, given by the world and not by decisions: an arrival's index, a
                period.
            distribution: Distribution of its length, in the model's time unit: a name such as `exponential`,
                a frozen distribution of SciPy, or any object with `quantile(u)` and `cdf(x)`.
            visit: Distinguishes several of one entity.

        Raises:
            InputError: If it is no distribution.
            ProcessError: If the length that it gives is negative, or isn't a number.
        """
        env = self.env
        length = self.world.duration(source, entity, distribution, env.now, visit)
        try:
            if length >= 0.0:
                return env.timeout(length)
        except TypeError:  # a label
            pass
        raise ProcessError(
            *self._where(),
            f"duration({source!r}) of entity {entity} is {length!r}, drawn from {told(distribution)}: a "
            "duration is a number of at least 0; use a distribution that gives such, e.g. by "
            "simdistill.truncated(…, low=0)",
        )

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

    def draw(self, source: str, entity: int, distribution: AnyDistribution, visit: int = 0) -> Any:
        """Returns a random number that deciders and branches may know from now on, e.g. a job's size.

        A `categorical` distribution gives a label in place of a number.

        Args:
            source: What the number is, e.g. "size".
            entity: Number of the entity, as in `duration`.
            distribution: Distribution of the number, as in `duration`; here it may be negative.
            visit: Distinguishes several of one entity.

        Raises:
            InputError: If it is no distribution.
        """
        return self.world.number(source, entity, distribution, visit)

    def rng(self, source: str, random: bool = False) -> Any:
        """Returns a drop-in `numpy.random.Generator`, the same one whenever the source is asked for.

        Its i-th number is a function of the seed path, the source and i; decisions that change the order of
        draws make two runs less alike than `duration` and `draw` do.

        Args:
            source: What the numbers are for, e.g. "treatment".
            random: Whether to return a drop-in `random.Random` in its place.
        """
        return self.world.sources.rng(source, random)

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
        if not isinstance(params, Mapping | None):
            raise InputError(
                f"the parameters of {cls.__name__} are a mapping from names to values, got {params!r}"
            )
        try:
            return cls.Params.model_validate(dict(params or {}))
        except pydantic.ValidationError as error:
            lines = [
                f"{'.'.join(map(str, (cls.__name__, *e['loc'])))} = {e['input']!r}: {e['msg']}"
                for e in error.errors()
            ]
            raise InputError("\n".join(lines)) from None

    def observe_unchecked(self, decision: Decision) -> dict:
        """Returns `observe(decision)` as it is; fast enough for branches.

        Raises:
            ProcessError: If `observe` raises.
        """
        return self._guard(self.observe, decision)

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

    def full_fingerprint(self) -> Hashable | None:
        """Returns the fingerprint with how far the sources of `rng` are, or None."""
        mark, counts = self.fingerprint(), self.world.sources.counts
        return mark if mark is None or not counts else (mark, counts)

    def look(self, decision: Decision) -> dict:
        """Deprecated name of `observe_unchecked`."""
        warnings.warn("look() is now called observe_unchecked()", DeprecationWarning, stacklevel=2)
        return self.observe_unchecked(decision)
