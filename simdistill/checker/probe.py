"""Running a process under observation: recorded draws, other answers, and branches."""

import copy
import json
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import simpy

from simdistill.errors import ProcessError
from simdistill.simulation.decisions import Decision
from simdistill.simulation.distributions import Distribution, Exponential
from simdistill.simulation.model import ProcessModel
from simdistill.simulation.parameters import Parameters
from simdistill.simulation.situations import Episode
from simdistill.simulation.states import numbers
from simdistill.simulation.streams import EPISODE, FUTURE, TEST, BranchedWorld, SeedPath, Streams, World

DECISIONS = 150
"""Decisions of one run of a check."""

OTHER_ANSWERS = 40
"""Decisions that two runs of one seed answer differently before they go on alike."""

Key = tuple[str, int, int]
"""Source, entity and visit of a random number."""

Choose = Callable[[int, float, str, Sequence[str]], str]
"""Number and time of the decision, state as text, labels -> label."""


@dataclass(frozen=True)
class Draw:
    """A random number that a process took; `end` is when the duration that it makes is over."""

    key: Key
    distribution: Distribution
    end: float | None


class RecordingWorld(World):
    """An episode's world that remembers what was drawn from it.

    Args:
        streams: The episode's streams.
        altered: Numbers that are to come out differently: key -> change of the uniform number.
        path: The seed path that the process sees, if it isn't that of the streams.
    """

    def __init__(
        self,
        streams: Streams,
        altered: Mapping[Key, Callable[[float], float]] | None = None,
        path: SeedPath | None = None,
    ):
        super().__init__(streams)
        self.path = path or self.path
        self.draws: list[Draw] = []
        self.rates: dict[str, set[float]] = defaultdict(set)
        self.ticks: set[float] = set()
        self._altered = altered or {}

    def number(self, source: str, entity: int, distribution: Distribution, visit: int = 0) -> float:
        key = (source, entity, visit)
        self.draws.append(Draw(key, distribution, None))
        if key in self._altered:
            return distribution.quantile(self._altered[key](self.streams.uniform(*key)))
        return super().number(source, entity, distribution, visit)

    def duration(
        self, source: str, entity: int, distribution: Distribution, now: float, visit: int = 0
    ) -> float:
        value = super().duration(source, entity, distribution, now, visit)
        self.draws.append(Draw((source, entity, visit), distribution, now + value))
        return value

    def tick(self, source: str, rate: float, now: float) -> float:
        self.rates[source].add(rate)
        point = super().tick(source, rate, now)
        self.ticks.add(now + (point - now))  # rounded as SimPy does
        return point


@dataclass(frozen=True)
class Step:
    """A decision of a run, as it was when the question was put.

    Attributes:
        time: Simulated time.
        question: The question.
        labels: The choices.
        state: The observed state as text.
        observed: What `observe` returned, the object itself.
        numbers: The numbers in the state.
        steady: Whether looking twice showed the same.
        cost: Cost so far.
        mark: What `fingerprint` returned.
        drawn: Random numbers taken so far.
        ages: Whether something under way has lasted for a time that matters and that isn't in `mark`.
        taken: The answer.
    """

    time: float
    question: str
    labels: tuple[str, ...]
    state: str
    observed: Any
    numbers: tuple[float, ...]
    steady: bool
    cost: float
    mark: Any
    drawn: int
    ages: bool
    taken: str

    @property
    def shown(self) -> tuple:
        """What two runs of one world have in common."""
        return self.time, self.question, self.labels, self.state, self.cost


@dataclass
class Run:
    """What a run left.

    Attributes:
        steps: Its decisions.
        world: Where its random numbers came from.
        model: The process, None if it couldn't even be built.
        error: What ended it before its time.
        balances: Time, and per kind of entity those inside minus those arrived plus those gone, whenever time
            went on.
    """

    steps: list[Step] = field(default_factory=list)
    world: Any = None
    model: ProcessModel | None = None
    error: Exception | None = None
    balances: list[tuple[float, dict[str, float]]] = field(default_factory=list)

    @property
    def draws(self) -> list[Draw]:
        return getattr(self.world, "draws", [])


def scattered(number: int, time: float, state: str, labels: Sequence[str]) -> str:
    """Takes some choice, the same one whenever state and time are the same."""
    return labels[crc32(f"{time!r} {state}".encode()) % len(labels)]


def varied_by(salt: int) -> Choose:
    """Returns a rule whose choices depend on the number of the decision and on the state."""

    def varied(number: int, time: float, state: str, labels: Sequence[str]) -> str:
        return labels[crc32(f"{salt} {number} {state}".encode()) % len(labels)]

    return varied


varied = varied_by(0)


def after(answers: Sequence[str], then: Choose) -> Choose:
    """Gives these answers and then goes on by a rule."""
    return lambda number, *seen: answers[number] if number < len(answers) else then(number, *seen)


def before(switch: int, rule: Choose, then: Choose) -> Choose:
    """Decides by one rule before a decision's number, and by another from there on."""
    return lambda number, *seen: (rule if number < switch else then)(number, *seen)


class Subject:
    """A process model under examination; runs that several checks need are made once."""

    def __init__(self, simulator: type[ProcessModel], params: Parameters, seed: int, deterministic: bool):
        self.simulator, self.params, self.seed, self.deterministic = simulator, params, seed, deterministic
        self._runs: dict[str, Run] = {}

    def path(self, episode: int = 0) -> SeedPath:
        return (self.seed, TEST, EPISODE, episode)

    def world(self, episode: int = 0, **options: Any) -> RecordingWorld:
        return RecordingWorld(Streams(self.path(episode)), **options)

    @property
    def main(self) -> Run:
        """The run that most checks examine."""
        return self._kept("main", varied)

    @property
    def perturbed(self) -> tuple[Run, Run, Run]:
        """Runs of one seed whose first answers are always the first choice, always the last, and varied."""
        rules: tuple[Choose, ...] = (lambda *seen: seen[-1][0], lambda *seen: seen[-1][-1], varied)
        one, other, third = (
            self._kept(f"perturbed {number}", before(OTHER_ANSWERS, rule, scattered))
            for number, rule in enumerate(rules)
        )
        return one, other, third

    def _kept(self, name: str, choose: Choose) -> Run:
        if name not in self._runs:
            self._runs[name] = self.play(self.world(), choose)
        return self._runs[name]

    def play(
        self,
        world: World,
        choose: Choose,
        decisions: int = DECISIONS,
        until: float = math.inf,
        illegal: bool = False,
    ) -> Run:
        """Runs the process for some decisions; what goes wrong ends the run and is kept in it."""
        run = Run(world=world)
        try:
            model = run.model = self.simulator(self.params, world)
            watch(model, run)
            episode = Episode(model)
            while len(run.steps) < decisions and (decision := episode.proceed(until)) is not None:
                step = _step(model, decision, run, choose)
                run.steps.append(step)
                episode.answer("an illegal answer" if illegal else step.taken)
        except (KeyboardInterrupt, MemoryError):
            raise
        except Exception as error:
            run.error = error
        return run

    def branch(self, past: World, index: int, future: int, choice: str, run: Run, **limits: Any) -> Run:
        """Replays a run up to one of its decisions and goes on with a choice under a future of its own."""
        streams = Streams((*self.path(), FUTURE, index, future))
        world = BranchedWorld(past, streams, run.steps[index].time)
        answers = [step.taken for step in run.steps[:index]]

        def choose(number: int, time: float, state: str, labels: Sequence[str]) -> str:
            if number < index:
                return answers[number]
            if number == index:
                world.branch()
                return choice
            return scattered(number, time, state, labels)

        return self.play(world, choose, **limits)


def watch(model: ProcessModel, run: Run) -> None:
    """Looks at a process whenever time goes on, and sees that it does; SimPy sees only negative delays."""
    env, step = model.env, model.env.step

    def watched() -> None:
        before = env.now
        if env.peek() > before:
            run.balances.append((before, _balances(model)))
        step()
        if not env.now >= before:
            raise ProcessError(
                type(model).__name__, model.seed_path, before, f"time went from {before:g} to {env.now:g}"
            )

    env.step = watched  # type: ignore[method-assign]


def _step(model: ProcessModel, decision: Decision, run: Run, choose: Choose) -> Step:
    observed = model.observe_unchecked(decision)
    state = text_of(observed)
    found = tuple(numbers(observed)) if isinstance(observed, dict) else ()
    steady = text_of(model.observe_unchecked(decision)) == state
    mark = model.fingerprint()
    labels = tuple(decision.labels)
    taken = choose(len(run.steps), model.env.now, state, labels)
    return Step(
        time=model.env.now,
        question=decision.question,
        labels=labels,
        state=state,
        observed=observed,
        numbers=found,
        steady=steady,
        cost=model.cost(),
        mark=copy.deepcopy(mark),
        drawn=len(run.draws),
        ages=_ages(model, run),
        taken=taken,
    )


def text_of(observed: Any) -> str:
    """A state as text, whatever it is made of."""
    try:
        return json.dumps(observed, default=repr)
    except (TypeError, ValueError, RecursionError):
        return repr(observed)


def _balances(model: ProcessModel) -> dict[str, float]:
    """Per kind of entity, how many are inside minus how many should be."""
    tallies, found = model._tallies, {}
    for name, inside in model.levels().items():
        kind = name.removeprefix("in_system")
        if name == f"in_system{kind}" and f"arrived{kind}" in tallies:
            arrived = tallies[f"arrived{kind}"][0]
            gone = tallies.get(f"left{kind}") or [0.0, tallies.get(f"time_in_system{kind}", [0.0, 0.0])[1]]
            found[name] = inside - arrived + (gone[0] if f"left{kind}" in tallies else gone[1])
    return found


def _ages(model: ProcessModel, run: Run) -> bool:
    """Whether something is under way of which it matters how long it has lasted already."""
    now = model.env.now
    running = [draw for draw in run.draws if draw.end is not None and draw.end > now]
    ends = {draw.end for draw in running} | getattr(run.world, "ticks", set())
    timeouts = [
        time for time, *_, event in model.env._queue if isinstance(event, simpy.Timeout) and time > now
    ]
    return any(not isinstance(draw.distribution, Exponential) for draw in running) or any(
        time not in ends for time in timeouts
    )
