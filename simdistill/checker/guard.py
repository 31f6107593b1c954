"""Checks of a process model before it teaches: those without which its what-if values could be wrong."""

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
"""Seconds that the checks may take; with a model that simulates fast they take one or two."""


def check_values(
    simulator: type[ProcessModel],
    params: Parameters | Mapping | None = None,
    *,
    seed: int = 0,
    until: float = math.inf,
    seconds: float = SECONDS,
    progress: Progress = silent,
) -> CheckReport:
    """Checks that a process model keeps the promises on which its what-if values rest.

    Args:
        simulator: The process model's class.
        params: The model's parameters; None for the defaults.
        seed: Root of the seeds; only episodes of the training tree are played.
        until: Simulated time at which a terminating task ends.
        seconds: Wall time after which the remaining checks are left out.
        progress: Function that shows how many checks are done.

    Returns:
        A report without problems; its `unfinished` names the checks that there was no time for.

    Raises:
        InputError: If there are problems; the message has all of them.
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
    """Finds models that fail before their first question; a later failure costs a run one episode only."""
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
"""Name -> check, of those made before a run."""
