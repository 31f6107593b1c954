"""`check_simulator()`: what is wrong with a process model, and what its author can do about it.

The model is run many times: twice with one seed, with other seeds, with other answers, and branched under
other futures. Runs that must be equal are compared exactly; only values in equal states are compared by a
statistical test.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from simdistill.checker import branching, encoding, failures, randomness, runs
from simdistill.checker.failures import Found
from simdistill.checker.probe import Subject
from simdistill.errors import InputError
from simdistill.simulation.model import ProcessModel
from simdistill.simulation.parameters import Parameters


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
    """

    simulator: str
    checks: tuple[str, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{self.simulator}: {len(self.problems) or 'no'} problem{'s' * (len(self.problems) != 1)}"]
        lines += [f"\n{problem.check}: {problem}" for problem in self.problems]
        lines += [f"\nnote: {note}" for note in self.notes]
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
) -> CheckReport:
    """Checks that a process model keeps the promises on which branching, teaching and examining rest.

    Args:
        simulator: The class to check.
        params: Its parameters; None for the defaults.
        seed: Root of the seeds of all runs.
        deterministic: Whether nothing is random with these parameters, so that every seed may give one run.

    Returns:
        A report without problems, with notes on what couldn't be checked.

    Raises:
        CheckError: With a report of all that is wrong.
        InputError: If the parameters aren't valid.
    """
    report = inspect_simulator(simulator, params, seed=seed, deterministic=deterministic)
    if report.problems:
        raise CheckError(report)
    return report


def inspect_simulator(
    simulator: type[ProcessModel],
    params: Parameters | Mapping | None = None,
    *,
    seed: int = 0,
    deterministic: bool = False,
) -> CheckReport:
    """Does what `check_simulator` does, but returns a report with problems instead of raising it."""
    if not (isinstance(simulator, type) and issubclass(simulator, ProcessModel)):
        raise InputError(f"check_simulator needs a subclass of ProcessModel, got {simulator!r}")
    subject = Subject(simulator, simulator.parse(params), seed, deterministic)
    problems: dict[tuple[str, str], Problem] = {}
    notes: list[str] = []
    for name, check in CHECKS.items():
        for found in check(subject):
            if isinstance(found, str):
                notes.append(found)
            else:
                message, advice = found
                problems.setdefault((name, message), Problem(name, message, advice))
    return CheckReport(
        simulator.__name__, tuple(CHECKS), tuple(problems.values()), tuple(dict.fromkeys(notes))
    )


CHECKS: dict[str, Callable[[Subject], Found]] = {
    "runs": failures.failing("runs"),
    "decisions": runs.decisions,
    "choices": runs.choices,
    "state": runs.states,
    "encoding": encoding.encodings,
    "time": failures.failing("time"),
    "cost": runs.costs,
    "entities": runs.entities,
    "same seed, same run": randomness.same_seed,
    "other seed, other run": randomness.other_seed,
    "streams": randomness.streams,
    "branches": branching.branches,
    "no clairvoyance": branching.clairvoyance,
    "equal states, equal values": branching.values,
    "fingerprint": branching.fingerprints,
    "illegal answers": runs.illegal_answers,
    "policies": runs.policies,
    "forecasts": runs.forecasts,
    "workers": runs.workers,
}
"""All checks by name, in the order of the report."""
