"""`check_simulator()`: what is wrong with a process model, and what its author can do about it.

The model is run many times: twice with one seed, with other seeds, with other answers, and branched under
other futures. Runs that must be equal are compared exactly; only values in equal states are compared by a
statistical test.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from simdistill.checker import (
    branching,
    draws,
    encoding,
    failures,
    generators,
    hashing,
    offers,
    randomness,
    runs,
    sending,
    values,
)
from simdistill.checker.failures import Found, line_of
from simdistill.checker.limits import TimeIsUp, limited
from simdistill.checker.probe import Subject
from simdistill.checker.words import worded
from simdistill.errors import InputError
from simdistill.progress import Progress, silent
from simdistill.simulation.alive import kept_alive_by, told
from simdistill.simulation.model import ProcessModel
from simdistill.simulation.parameters import Parameters
from simdistill.simulation.streams import TEST

SECONDS = 60.0
"""Seconds that all checks of a model may take by default."""


@dataclass(frozen=True)
class Problem:
    """Something wrong with a process model.

    Attributes:
        check: Which check found it.
        message: What is wrong, where, and the value.
        advice: What to do.
    """

    check: str
    message: str
    advice: str

    def __str__(self) -> str:
        return f"{self.message}\n  {self.advice}"


@dataclass(frozen=True)
class CheckReport:
    """What the checks of a process model found.

    Attributes:
        simulator: Name of the class.
        checks: Names of the checks, in order.
        problems: All that is wrong.
        notes: What couldn't be checked, and what would help.
        unfinished: Names of the checks that there was no time for.
        seconds: Wall time that the checks had, in seconds.
    """

    simulator: str
    checks: tuple[str, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    unfinished: tuple[str, ...] = ()
    seconds: float = SECONDS

    def __str__(self) -> str:
        lines = [f"{self.simulator}: {len(self.problems) or 'no'} problem{'s' * (len(self.problems) != 1)}"]
        if self.unfinished:
            lines[0] += " so far"
        lines += [f"\n{problem.check}: {problem}" for problem in self.problems]
        lines += [f"\nnote: {note}" for note in self.notes]
        if self.unfinished:
            lines.append(
                f"\nnot finished within {self.seconds:g} seconds: {', '.join(self.unfinished)}; more time: "
                "--seconds, or seconds=… in Python"
            )
        return "\n".join(lines)


class CheckError(InputError):
    """A process model has problems; `report` holds them, and the message lists them all."""

    def __init__(self, report: CheckReport):
        super().__init__(str(report))
        self.report = report


def check_simulator(
    simulator: type[ProcessModel],
    params: Parameters | Mapping | None = None,
    *,
    seed: int = 0,
    deterministic: bool = False,
    seconds: float = SECONDS,
    until: float = math.inf,
) -> CheckReport:
    """Checks that a process model keeps the promises on which branching, teaching and examining rest.

    Args:
        simulator: The class to check.
        params: Its parameters; None for the defaults.
        seed: Root of the seeds of all runs.
        deterministic: Whether nothing is random with these parameters, so that every seed may give one run.
        seconds: Wall time after which the remaining checks are left out; the report says which.
        until: Simulated time at which a terminating task ends; what comes after it isn't checked.

    Returns:
        A report without problems, with notes on what couldn't be checked.

    Raises:
        CheckError: With a report of all that is wrong.
        InputError: If the parameters aren't valid.
    """
    report = inspect_simulator(
        simulator, params, seed=seed, deterministic=deterministic, seconds=seconds, until=until
    )
    if report.problems:
        raise CheckError(report)
    return report


def inspect_simulator(
    simulator: type[ProcessModel],
    params: Parameters | Mapping | None = None,
    *,
    seed: int = 0,
    deterministic: bool = False,
    seconds: float = SECONDS,
    until: float = math.inf,
) -> CheckReport:
    """Does what `check_simulator` does, but returns a report with problems instead of raising it."""
    return Inspection(simulator, params, seed, deterministic, until).made(seconds)


class Inspection:
    """The checks of a process model, one after the other; `report` is what they have found so far.

    Args:
        simulator: The class to check.
        params: Its parameters; None for the defaults.
        seed: Root of the seeds of all runs.
        deterministic: Whether nothing is random with these parameters.
        until: Simulated time at which a terminating task ends.
        split: Part of the seeds below the root: training, validation or test.
        checks: Name -> check; all checks if left out.

    Raises:
        InputError: If the simulator isn't a process model, or the parameters aren't valid.
    """

    def __init__(
        self,
        simulator: type[ProcessModel],
        params: Parameters | Mapping | None = None,
        seed: int = 0,
        deterministic: bool = False,
        until: float = math.inf,
        split: int = TEST,
        checks: Mapping[str, Callable[[Subject], Found]] | None = None,
    ):
        if not (isinstance(simulator, type) and issubclass(simulator, ProcessModel)):
            raise InputError(f"check_simulator needs a subclass of ProcessModel, got {simulator!r}")
        self.subject = Subject(simulator, simulator.parse(params), seed, deterministic, until, split)
        self.checks = CHECKS if checks is None else checks
        self.seconds = SECONDS
        self._finished: list[str] = []
        self._problems: dict[tuple[str, str], Problem] = {}
        self._notes: list[str] = []

    def made(self, seconds: float, progress: Progress = silent) -> CheckReport:
        """Makes as many of the checks as there is time for.

        Args:
            seconds: Wall time that the checks may take.
            progress: Function that is called after each check.
        """
        self.seconds = seconds
        try:
            with limited(seconds) as self.subject.limit:
                progress("check the process model", 0, len(self.checks))
                for number, (name, check) in enumerate(self.checks.items(), start=1):
                    for found in check(self.subject):
                        self._add(name, found)
                    self._finished.append(name)
                    progress("check the process model", number, len(self.checks))
        except TimeIsUp as stopped:
            self._stopped(stopped)
        return self.report

    @property
    def report(self) -> CheckReport:
        """The report of what has been found so far."""
        return CheckReport(
            self.subject.simulator.__name__,
            tuple(self.checks),
            tuple(self._problems.values()),
            tuple(dict.fromkeys(self._notes)),
            tuple(name for name in self.checks if name not in self._finished),
            self.seconds,
        )

    def _add(self, name: str, found: tuple[str, str] | str) -> None:
        simulator = self.subject.simulator
        if isinstance(found, str):
            self._notes.append(worded(found, simulator))
        else:
            message, advice = (worded(text, simulator) for text in found)
            self._problems.setdefault((name, message), Problem(name, message, advice))

    def _stopped(self, stopped: TimeIsUp) -> None:
        """Adds a problem if the model was stopped in the midst of its own code."""
        lasted, run = self.subject.limit.blocked, self.subject.playing
        if lasted and run is not None:
            when = "build()" if run.model is None else f"what happens at time {run.model.env.now:g}"
            self._add("runs", (f"{when} wasn't over after {lasted:.1f} seconds{line_of(stopped)}", BLOCKED))
        elif run is not None and run.model is not None and not run.steps:
            names = kept_alive_by(run.model)
            # What was stopped in its own code is none of them any more, but has a line.
            goes_on = (
                f"; {told(names)} {'go' if len(names) > 1 else 'goes'} on" if names else line_of(stopped)
            )
            events = f"{run.silent:,.0f} events up to time {run.model.env.now:g}"
            self._add("decisions", (f"no question came in {events}{goes_on}", SILENT))


BLOCKED = (
    "build() must come to an end, and so must a process between two of its `yield`s: look for a loop that "
    "never ends, for a sleep, and for something that waits"
)

SILENT = (
    "see that a process comes to `answer = yield self.decide(...)`; where so much happens before the first "
    "question, give the check more time"
)


CHECKS: dict[str, Callable[[Subject], Found]] = {
    "runs": failures.failing("runs"),
    "decisions": runs.decisions,
    "choices": runs.choices,
    "labels": offers.labels,
    "state": runs.states,
    "encoding": encoding.encodings,
    "time": failures.failing("time"),
    "cost": runs.costs,
    "end": runs.ends,
    "entities": runs.entities,
    "same seed, same run": randomness.same_seed,
    "other seed, other run": randomness.other_seed,
    "own random numbers": generators.own_generators,
    "hashes": hashing.hashes,
    "streams": randomness.streams,
    "branches": branching.branches,
    "no clairvoyance": branching.clairvoyance,
    "draws under way": draws.draws,
    "equal states, equal values": values.values,
    "deciders": values.deciders,
    "fingerprint": branching.fingerprints,
    "illegal answers": runs.illegal_answers,
    "policies": runs.policies,
    "forecasts": runs.forecasts,
    "workers": sending.workers,
}
"""All checks by name, in the order of the report."""
