"""A check that states can be encoded, as features of a fit and as observations of an environment."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from simdistill.checker.failures import Found
from simdistill.checker.probe import Subject
from simdistill.errors import InputError
from simdistill.simulation.forms import MOST_TEXTS, Encoding


def encodings(subject: Subject) -> Found:
    """Finds fields whose type differs, values that aren't as declared, and texts that are no category."""
    runs = list(_states(subject))
    states = [state for run in runs for state in run]
    if not states:
        return
    try:
        encoding = Encoding.of(states, subject.simulator.observes)
        for state in states:
            encoding.row(state)
    except InputError as error:
        yield (
            str(error),
            "give one type to each field, with None where there is nothing, and the same fields in every "
            "state; `observes` declares what else is possible",
        )
        return
    yield from _new_ones(subject, runs)
    for place in encoding.unreadable():
        yield (
            f"the state's {place} takes more than {MOST_TEXTS} different texts: fits and flat observations "
            "can't tell them apart",
            "observe what matters of it as a number or a category, declare it as Words in `observes` if it "
            "is only to be read, or leave it out",
        )


NEW = 0.1
"""Share of states in the second halves of runs that may be of a form that the first halves don't have."""


def _new_ones(subject: Subject, runs: Sequence[Sequence[dict[str, Any]]]) -> Found:
    """Finds states whose form goes on being new, as where the names of fields are those of patients."""
    early = [state for run in runs for state in run[: len(run) // 2]]
    late = [state for run in runs for state in run[len(run) // 2 :]]
    if len(early) < LEAST:
        return
    encoding, errors = Encoding.of(early, subject.simulator.observes), []
    for state in late:
        try:
            encoding.row(state)
        except InputError as error:
            errors.append(str(error))
    if len(errors) > NEW * len(late):
        yield (
            f"the form of states goes on changing: of {len(late)} states in the second halves of the runs "
            f"{len(errors)} can't be encoded by what the first halves showed; {errors[-1]}",
            "give the same fields to every state, and list things that come and go, with their names as "
            "values, in place of naming fields after them; `observes` declares lists of varying length and "
            "values that may be missing",
        )


LEAST = 20
"""Number of states in the first halves of the runs below which nothing is concluded about their form."""


def _states(subject: Subject) -> Iterator[list[dict[str, Any]]]:
    """Yields each run's states as they were when they were observed; states that aren't JSON are left out."""
    for run in (subject.main, *subject.perturbed):
        states = []
        for step in run.steps:
            try:
                state = json.loads(step.state)
            except ValueError:
                continue
            if isinstance(state, dict):
                states.append(state)
        yield states
