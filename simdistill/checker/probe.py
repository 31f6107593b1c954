"""Running a process under observation: recorded draws, other answers, and branches."""

import copy
import json
import math
import weakref
from collections.abc import Callable, Sequence
from typing import Any
from zlib import crc32

import simpy

from simdistill.checker.limits import Limit
from simdistill.checker.recording import Key, RecordingWorld, Run, Step
from simdistill.checker.watching import Silent, watch
from simdistill.simulation.alive import endless_processes, kept_alive_by
from simdistill.simulation.decisions import Decision
from simdistill.simulation.distributions import Exponential
from simdistill.simulation.model import ProcessModel
from simdistill.simulation.parameters import Parameters
from simdistill.simulation.redrawing import Redrawing, redrawing
from simdistill.simulation.rng.redrawn import Again
from simdistill.simulation.situations import Episode
from simdistill.simulation.states import numbers
from simdistill.simulation.streams import EPISODE, FUTURE, TEST, BranchedWorld, SeedPath, Streams, World

__all__ = ["Key", "RecordingWorld", "Run", "Step", "Subject", "varied", "varied_by", "watch"]

DECISIONS = 150
"""Decisions of one run of a check."""

OTHER_ANSWERS = 40
"""Decisions that two runs of one seed answer differently before they go on alike."""

SILENT, TIMES_SILENT = 20_000, 20
"""Number of events without a question after which a run is taken to ask no more.

They must also be `TIMES_SILENT` times as many as in the longest silence before a question so far.
"""

Choose = Callable[[int, float, str, Sequence[str]], str]
"""Number and time of the decision, state as text, labels -> label."""


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
    """A process model under examination; runs that several checks need are made once.

    Args:
        simulator: The model's class.
        params: The model's parameters.
        seed: Root of all seeds.
        deterministic: Whether nothing is random with these parameters.
        until: Simulated time at which the episodes of a terminating task end.
        split: Part of the seeds below the root: training, validation or test.
        limit: Wall time that the checks may take; infinite if left out.
    """

    def __init__(
        self,
        simulator: type[ProcessModel],
        params: Parameters,
        seed: int,
        deterministic: bool,
        until: float = math.inf,
        split: int = TEST,
        limit: Limit | None = None,
    ):
        self.simulator, self.params, self.seed, self.deterministic = simulator, params, seed, deterministic
        self.until, self.split, self.limit = until, split, limit or Limit(math.inf)
        self._runs: dict[str, Run] = {}
        self._redrawn: dict[tuple, tuple[World, Redrawing]] = {}
        self._longest_silence, self._falls_silent = 0.0, False
        self.playing: Run | None = None

    def path(self, episode: int = 0) -> SeedPath:
        return (self.seed, self.split, EPISODE, episode)

    def world(self, episode: int = 0, **options: Any) -> RecordingWorld:
        return RecordingWorld(Streams(self.path(episode)), **options)

    @property
    def main(self) -> Run:
        """The run that most checks examine."""
        return self._kept("main", varied)

    @property
    def perturbed(self) -> tuple[Run, Run, Run]:
        """Runs of one seed whose first answers are always the first choice, always the last, and varied."""
        if not self.main.steps:
            return self.main, self.main, self.main  # answers make no difference
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
        until: float | None = None,
        illegal: bool = False,
        meanwhile: Callable[[int, ProcessModel], None] | None = None,
    ) -> Run:
        """Runs the process for some decisions; what goes wrong ends the run and is kept in it.

        Args:
            world: Where the run's random numbers come from.
            choose: Function that decides.
            decisions: Largest number of decisions.
            until: Simulated time at which to stop; the task's end if left out.
            illegal: Whether to give illegal answers in place of the chosen ones.
            meanwhile: Function that is called while a decision waits for its answer, with the decision's
                number and the process.
        """
        run = self.playing = Run(world=world)
        end = self.until if until is None else until
        try:
            with self.limit.within():
                model = run.model = self.simulator(self.params, world)
                subject = weakref.proxy(self)  # which the model's environment mustn't keep
                watch(model, run, self.limit, lambda run: subject.patience(run))
                episode = Episode(model)
                while len(run.steps) < decisions:
                    if (decision := episode.proceed(end)) is None:
                        run.ended = True
                        break
                    self._longest_silence, run.silent = max(self._longest_silence, run.silent), 0
                    step = _step(model, decision, run, choose)
                    run.steps.append(step)
                    if meanwhile is not None:
                        meanwhile(len(run.steps) - 1, model)
                    episode.answer("an illegal answer" if illegal else step.taken)
        except (KeyboardInterrupt, MemoryError):
            raise
        except Silent:
            self._falls_silent = run.ended = True
            run.endless = self._endless(run)
        except Exception as error:
            run.error = error
        return run

    def patience(self, run: Run) -> float:
        """Returns after how many events without a question a run is taken to ask no more."""
        if not run.steps:
            return math.inf  # the model's own limit counts
        if self._falls_silent:
            return max(SILENT / 20, TIMES_SILENT / 4 * self._longest_silence)
        return max(SILENT, TIMES_SILENT * self._longest_silence)

    def _endless(self, run: Run) -> tuple[str, ...]:
        """Returns the names of the processes that keep a silent run alive."""
        if "main" in self._runs and self.main.endless:
            return ()  # the main run has them
        assert run.model is not None
        run.silent = -math.inf
        try:
            return tuple(endless_processes(run.model) or kept_alive_by(run.model))
        except Exception as error:
            run.error = error
            return ()

    def branch(self, past: World, index: int, future: int, choice: str, run: Run, **limits: Any) -> Run:
        """Replays a run up to one of its decisions and goes on with a choice under a future of its own."""
        streams = Streams((*self.path(), FUTURE, index, future))
        answers = [step.taken for step in run.steps[:index]]
        world = BranchedWorld(past, streams, run.steps[index].time, self._again(past, run, index, streams))

        def choose(number: int, time: float, state: str, labels: Sequence[str]) -> str:
            if number < index:
                return answers[number]
            if number == index:
                world.branch()
                return choice
            return scattered(number, time, state, labels)

        return self.play(world, choose, **limits)

    def redrawing(self, past: World, run: Run, index: int) -> Redrawing:
        """Returns what the futures of a decision draw again."""
        answers = tuple(step.taken for step in run.steps[:index])
        key = (id(past), index, answers)
        if key not in self._redrawn:
            with self.limit.within():
                found = redrawing(self.simulator, self.params, past, answers, run.steps[index].time)
            self._redrawn[key] = past, found  # `past` is kept, so that no other gets its id
        return self._redrawn[key][1]

    def _again(self, past: World, run: Run, index: int, future: Streams) -> Again | None:
        if all(draw.distribution is not None for draw in run.draws[: run.steps[index].drawn]):
            return None
        redrawing = self.redrawing(past, run, index)
        with self.limit.within():
            return redrawing.checked(future)


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
        decider=decision.decider,
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
