"""A check that states can be encoded, as features of a fit and as observations of an environment."""

import json
from collections.abc import Iterator
from typing import Any

from simdistill.checker.failures import Found
from simdistill.checker.probe import Subject
from simdistill.errors import InputError
from simdistill.simulation.forms import MOST_TEXTS, Encoding


def encodings(subject: Subject) -> Found:
    """Finds fields whose type differs, values that aren't as declared, and texts with too many values."""
    states = list(_states(subject))
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
    for place in encoding.unreadable():
        yield (
            f"the state's {place} takes more than {MOST_TEXTS} different texts: fits and flat observations "
            "can't tell them apart",
            "observe what matters of it as a number or a category, declare it as Words in `observes` if it "
            "is only to be read, or leave it out",
        )


def _states(subject: Subject) -> Iterator[dict[str, Any]]:
    """Yields the runs' states as they were when they were observed; states that aren't JSON are left out."""
    for run in (subject.main, *subject.perturbed):
        for step in run.steps:
            try:
                state = json.loads(step.state)
            except ValueError:
                continue
            if isinstance(state, dict):
                yield state
