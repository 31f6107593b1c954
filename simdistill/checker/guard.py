"""What is checked of a process model before it teaches: all that makes its values wrong if it isn't kept."""

import math
from collections.abc import Mapping

from simdistill.checker import failures, generators, randomness
from simdistill.checker.check import CHECKS, CheckReport, Inspection
from simdistill.checker.failures import Found
from simdistill.checker.probe import Subject
from simdistill.errors import InputError
from simdistill.progress import Progress, silent
from simdistill.simulation.model import ProcessModel
from simdistill.simulation.parameters import Parameters
from simdistill.simulation.streams import TRAIN

SECONDS = 30.0
"""Wall time; a check of a model that simulates fast takes one or two."""


def check_values(
    simulator: type[ProcessModel],
    params: Parameters | Mapping | None = None,
    *,
    seed: int = 0,
    until: float = math.inf,
    seconds: float = SECONDS,
    progress: Progress = silent,
) -> CheckReport:
    """Checks that what-if values of a process model can be right.

    Args:
        simulator: The process.
        params: Its parameters.
        seed: Root of the seeds; only episodes of the training tree are played.
        until: When a terminating task ends.
        seconds: Wall time after which the rest is left out.
        progress: Shows how far it is.

    Returns:
        A report without problems; `unfinished` names what there was no time for.

    Raises:
        InputError: Telling all that is wrong.
    """
    report = Inspection(simulator, params, seed, until=until, split=TRAIN, checks=GUARDS).made(
        seconds, progress
    )
    if report.problems:
        problems = "\n\n".join(f"{problem.check}: {problem}" for problem in report.problems)
        raise InputError(
            f"{report.simulator} doesn't keep what teaching relies on, so that its values would be wrong.\n\n"
            f"{problems}\n\nMend it (`simdistill check` says whether all is well), or go on as it is with "
            "check=false."
        )
    return report


def _begins(subject: Subject) -> Found:
    """Finds models that fail before their first question; what fails later is a lost episode of a run's."""
    if subject.main.error is not None and not subject.main.steps:
        yield failures.failed(subject.main.error)[1]


def _other_seed(subject: Subject) -> Found:
    """Finds runs of several seeds that don't differ, though random numbers are drawn."""
    if generators.draws_for_itself(subject):
        yield from randomness.other_seed(subject)


GUARDS = {"runs": _begins, "other seed, other run": _other_seed} | {
    name: CHECKS[name]
    for name in (
        "decisions",
        "cost",
        "same seed, same run",
        "own random numbers",
        "hashes",
        "streams",
        "branches",
        "no clairvoyance",
        "equal states, equal values",
        "deciders",
        "fingerprint",
    )
}
"""The checks by name."""
