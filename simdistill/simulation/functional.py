"""Function-style SimPy models as simulators: `decide(env, …)` in place of a subclass.

    from simdistill.adapt import cost_rate, decide, duration, process_model

    def clinic(env, arrival_rate: float = 0.5, doctors: int = 2):
        rooms = [simpy.Resource(env) for _ in range(doctors)]
        ...
        waiting = lambda: {"waiting": [len(room.queue) for room in rooms]}
        room = yield decide(env, "Which room?", {"A": rooms[0], "B": rooms[1]}, waiting)

    Clinic = process_model(clinic)

`Clinic` is a `ProcessModel` like any other. The function's other parameters are its parameters. The function
may start processes, be a process itself, or make an environment of its own and run it; and in its place there
may be a class that does one of these.
"""

import copyreg
import importlib
import inspect
import pickle
import re
import sys
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, ClassVar, Literal

import simpy

from simdistill.errors import InputError
from simdistill.simulation.decisions import Choices, Decision
from simdistill.simulation.distributions import AnyDistribution
from simdistill.simulation.environment import StoppingEnvironment
from simdistill.simulation.forecasts import Forecast
from simdistill.simulation.model import ProcessModel
from simdistill.simulation.parameters import Parameters
from simdistill.simulation.policies import Policy
from simdistill.simulation.rng import SharedGenerator, SharedRandom
from simdistill.simulation.signatures import Signature


class _ByName(type):
    """Metaclass of function-style models; pickle sends such a class by its name in its module."""


def _by_name(model: type) -> Any:
    """Returns how pickle loads a function-style model again: by the name that its module has for it."""
    module = sys.modules.get(model.__module__)
    for name, thing in vars(module).items() if module is not None else ():
        if thing is model:
            return attribute_of, (model.__module__, name)
    if model is FunctionModel:
        return attribute_of, (model.__module__, model.__name__)
    raise pickle.PicklingError(
        f"{model.__module__} has no name for {model.__name__}; write {model.__name__} = process_model(…) at "
        "the top of a file"
    )


def attribute_of(module: str, name: str) -> Any:
    """Returns a module's attribute; worker processes load function-style models with it."""
    return getattr(importlib.import_module(module), name)


copyreg.pickle(_ByName, _by_name)


class FunctionParameters(Parameters):
    """Parameters of function-style models; pickle sends them as their model and their values."""

    model: ClassVar[Any] = None

    def __reduce__(self):
        return _parameters, (type(self).model, dict(self.__dict__), self.model_fields_set)


def _parameters(model: "type[FunctionModel]", values: dict, given: set[str]) -> Parameters:
    return model.Params.model_construct(given, **values)


class FunctionModel(ProcessModel, metaclass=_ByName):
    """Base class of the simulators that `process_model` makes.

    Attributes:
        function: The function or the class that makes the model.
        signature: What it takes.
        start: Name of the method that starts what a class has made; "" where nothing else starts it.
    """

    function: Callable[..., Any]
    signature: ClassVar[Signature]
    start: ClassVar[str] = ""

    def build(self):
        self._fingerprint: Callable[[], Hashable | None] = lambda: None
        self._final_cost: Callable[[], float] = lambda: 0.0
        self._figures: Callable[[], Mapping[str, float]] = dict
        self.env.simdistill_model = self
        made, signature = type(self), self.signature
        process = made.function(**signature.made_with(self.env, self.params))
        if self.start:
            process = getattr(process, self.start)(**signature.started_with(self.params))
        if signature.environment is None and not self.env.adopted:
            raise InputError(
                f"{signature.name}() takes no environment and makes none: let it take `env` first, or make a "
                "simpy.Environment()"
            )
        if inspect.isgenerator(process):
            self.env.process(process)  # type: ignore[arg-type]
        if self.env.adopted and isinstance(process, Mapping):
            self._figures = lambda: process

    def observe(self, decision: Decision) -> dict:
        about, state = decision.about
        return state(about) if about is not None else state()

    def fingerprint(self) -> Hashable | None:
        return self._fingerprint()

    def final_cost(self) -> float:
        return self._final_cost()

    def figures(self) -> Mapping[str, float]:
        return self._figures()


def process_model(
    function: Callable[..., Any],
    *,
    max_choices: int = 2,
    policies: Mapping[str, Policy] | None = None,
    cost_weights: Mapping[str, float] | None = None,
    forecasts: Sequence[Forecast] = (),
    decides_at: Literal["once", "end"] | None = None,
    start: str = "",
    chooses: bool = False,
) -> type[ProcessModel]:
    """Makes a simulator of a function-style model, or of a class.

    A function or class that takes no environment makes a `simpy.Environment()`, or a subclass of one, in its
    code; that environment is then run. The code may call `env.run()`, also several times, and so may the
    method that `start` names. The episode ends when the code ends; a mapping that the code returns has the
    model's `figures`. Anywhere else `env.run()` is a mistake.

    Args:
        function: A function or a class. It takes a SimPy environment, first or by the name `env` or
            `environment`, or none; and parameters, each with a default and, unless the default shows it, a
            type: `arrival_rate: float = 0.5`, or `Annotated[float, Field(gt=0)]` for bounds.
        max_choices: The most choices that a question has.
        policies: Name -> policy.
        cost_weights: Name of a cost -> weight, 1 if left out.
        forecasts: Outcomes that a student is asked to forecast.
        decides_at: When a question is put for which `decide` gets no `at`, as in `ProcessModel.decide`; at
            once if left out.
        start: The method of a class that starts the model once it is made, e.g. "run"; its parameters are
            parameters of the model as well.
        chooses: Whether the model calls `choose`.

    Raises:
        InputError: If there is no method `start`, or a parameter has no default.
    """
    name = "".join(part[:1].upper() + part[1:] for part in re.split(r"[_\W]+", function.__name__))
    signature = Signature.of(function, start)
    attributes = {
        "__doc__": inspect.getdoc(function),
        # Where it is called: a model may be made of a library's class.
        "__module__": sys._getframe(1).f_globals.get("__name__", function.__module__),
        "function": staticmethod(function),
        "signature": signature,
        "start": start,
        "chooses": chooses,
        "runs_itself": bool(start) or signature.environment is None,
        "Params": signature.parameters(FunctionParameters),
        "max_choices": max_choices,
        "policies": dict(policies or {}),
        "cost_weights": dict(cost_weights or {}),
        "forecasts": tuple(forecasts),
    }
    if decides_at is not None:
        attributes["decides_at"] = decides_at
    made = _ByName(name, (FunctionModel,), attributes)
    setattr(made.Params, "model", made)  # noqa: B010 (a class of parameters is typed without it)
    return made  # type: ignore[return-value]


def decide(
    env: simpy.Environment,
    question: str,
    choices: Choices,
    state: Callable[..., dict],
    about: Any = None,
    decider: str = "",
    priority: int = 0,
    at: Literal["once", "end"] | None = None,
) -> Decision:
    """Puts a question; the process yields it and receives the chosen object.

    Args:
        env: The environment that the model's function was given.
        question: The question in words.
        choices: Labels, a mapping from labels to objects, a `Quantity`, or a callable that gives them.
        state: What the decider may see, as JSON-able values; called when the question is put, with `about`
            unless that is None.
        about: What the question is about.
        decider: Who decides.
        priority: Among questions that wait together the lowest goes first, then the decider's name.
        at: When the question is put, "once" or "end", as in `ProcessModel.decide`; None for the `decides_at`
            of `process_model`.
    """
    if not callable(state):
        raise _no_function("decide", question, state)
    return model_of(env).decide(question, choices, (about, state), decider, priority, at)


def choose(
    env: simpy.Environment,
    question: str,
    choices: Choices,
    state: Callable[..., dict],
    about: Any = None,
    decider: str = "",
) -> Any:
    """Puts a question at once and returns the chosen object, where no process can yield.

    The model is made with `process_model(…, chooses=True)`, unless it runs its own environment; see
    `ProcessModel.choose`, and `decide` for the arguments.
    """
    if not callable(state):
        raise _no_function("choose", question, state)
    return model_of(env).choose(question, choices, (about, state), decider)


def _no_function(called: str, question: str, state: Any) -> InputError:
    return InputError(
        f"{called}({question!r}): state must be a function, as in lambda: {{'waiting': len(queue)}}; it is "
        f"called when the question is put, and it got {state!r}"
    )


def duration(
    env: simpy.Environment, source: str, entity: int, distribution: AnyDistribution, visit: int = 0
) -> simpy.Event:
    """Returns a timeout of random length that nobody knows beforehand; see `ProcessModel.duration`."""
    return model_of(env).duration(source, entity, distribution, visit)


def poisson(env: simpy.Environment, source: str, rate: float) -> simpy.Event:
    """Returns an event at the next point of the source's Poisson process; see `ProcessModel.poisson`."""
    return model_of(env).poisson(source, rate)


def draw(
    env: simpy.Environment, source: str, entity: int, distribution: AnyDistribution, visit: int = 0
) -> Any:
    """Returns a random number, or a label, that may be known from now on; see `ProcessModel.draw`."""
    return model_of(env).draw(source, entity, distribution, visit)


def rng(env: simpy.Environment | None, source: str, random: bool = False) -> Any:
    """Returns a drop-in `numpy.random.Generator`; see `ProcessModel.rng`.

    Args:
        env: The environment that the model's function was given; None before there is one, at the top of a
            file or in a constructor. Such a generator draws for whichever episode is running.
        source: What the numbers are for, e.g. "treatment".
        random: Whether to return a drop-in `random.Random` in its place.

    Raises:
        InputError: If the environment belongs to no simulator, or the source has no name.
    """
    if env is None:
        return SharedRandom(source) if random else SharedGenerator(source)
    world = env.episode_world if isinstance(env, StoppingEnvironment) else None
    if world is None:
        return model_of(env).rng(source, random)
    return world.sources.rng(source, random)


def bind(env: simpy.Environment, *generators: Any) -> None:
    """Says that generators made by `rng(None, …)` belong to an environment's episode.

    Args:
        env: The environment that the model's function was given.
        generators: They draw for this episode wherever no other one is running.

    Raises:
        InputError: If one wasn't made by `rng(None, …)`, or the environment belongs to no simulator.
    """
    for generator in generators:
        if not isinstance(generator, SharedGenerator | SharedRandom):
            raise InputError(f"bind(): {generator!r} wasn't made by rng(None, ...); it can't be bound")
        generator.bind(env)


def cost_rate(env: simpy.Environment, name: str, value: float) -> None:
    """Sets the cost that accrues per unit of time from now on."""
    model_of(env).cost_rate(name, value)


def charge(env: simpy.Environment, name: str, amount: float) -> None:
    """Charges an amount at once."""
    model_of(env).charge(name, amount)


def final_cost(env: simpy.Environment, cost: Callable[[], float]) -> None:
    """Sets the function that returns the cost that falls due when the episode ends."""
    model_of(env)._final_cost = cost


def figures(env: simpy.Environment, function: Callable[[], Mapping[str, float]]) -> None:
    """Sets the function that returns what an episode came to; see `ProcessModel.figures`."""
    model_of(env)._figures = function


def level(env: simpy.Environment, name: str, value: float) -> None:
    """Sets a quantity whose average over time is reported."""
    model_of(env).level(name, value)


def tally(env: simpy.Environment, name: str, value: float) -> None:
    """Adds one observation whose mean is reported."""
    model_of(env).tally(name, value)


def fingerprint(env: simpy.Environment, mark: Callable[[], Hashable | None]) -> None:
    """Sets the function that returns all that the future depends on; see `ProcessModel.fingerprint`."""
    model_of(env)._fingerprint = mark


def model_of(env: simpy.Environment) -> FunctionModel:
    """Returns the simulator that an environment belongs to.

    Raises:
        InputError: If it belongs to none.
    """
    model = getattr(env, "simdistill_model", None)
    if model is None:
        raise InputError(
            f"{env!r} belongs to no simulator: make one with simdistill.adapt.process_model(your_function) "
            "and run that"
        )
    return model
