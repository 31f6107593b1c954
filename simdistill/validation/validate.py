"""Sets each figure of an adapted model against the original's, replication by replication."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from simdistill import registry
from simdistill.errors import InputError
from simdistill.executors import cores, simulating
from simdistill.files import write_json
from simdistill.progress import Progress, silent
from simdistill.report import formats
from simdistill.simulation.policies import unsendable
from simdistill.validation.comparison import Comparison, Margin, Verdict, compare, judged
from simdistill.validation.figures import Figures
from simdistill.validation.original import original
from simdistill.validation.subject import Subject, simulate


@dataclass(frozen=True)
class Validation:
    """What the comparison of a model with the original found.

    Attributes:
        subject: The model.
        against: The original, as the user calls it.
        confidence: Of each end of an interval; 1 less the level of the tests.
        comparisons: One for each figure that both have.
        only_original: Names of figures that the model doesn't have.
        only_model: Names of figures that the original doesn't have.
    """

    subject: Subject
    against: str
    confidence: float
    comparisons: tuple[Comparison, ...]
    only_original: tuple[str, ...]
    only_model: tuple[str, ...]

    @property
    def equivalent(self) -> bool:
        """Whether all figures are equivalent."""
        return self.count(Verdict.EQUIVALENT) == len(self.comparisons)

    @property
    def interval(self) -> str:
        """The level of the intervals in words: at a confidence of 0.95 an interval is one of 90%."""
        return f"{formats.trimmed(100 * (2 * self.confidence - 1))}%"

    @property
    def needed(self) -> int | None:
        """Replications of each that all figures would probably need; None if that can't be said."""
        found = [one.needed for one in self.comparisons if one.verdict is Verdict.TOO_WIDE]
        return max((count for count in found if count is not None), default=None)

    def count(self, verdict: Verdict) -> int:
        """Returns the number of figures with a verdict."""
        return sum(one.verdict is verdict for one in self.comparisons)

    def as_dict(self) -> dict[str, Any]:
        """Returns the comparison as a JSON object."""
        subject = self.subject
        return {
            "model": subject.name,
            "policy": subject.policy_name,
            "parameters": subject.params.model_dump(mode="json"),
            "against": self.against,
            "warm_up": subject.warm_up,
            "until": subject.until if math.isfinite(subject.until) else None,
            "confidence": self.confidence,
            "equivalent": self.equivalent,
            "figures": [one.as_dict() for one in self.comparisons],
            "only_original": list(self.only_original),
            "only_model": list(self.only_model),
        }


def validate(
    subject: Subject,
    against: str,
    *,
    replications: int = 30,
    margin: float = 0.02,
    absolute: Mapping[str, float] | None = None,
    confidence: float = 0.95,
    workers: int | None = None,
    progress: Progress = silent,
) -> Validation:
    """Runs the model and the original, and compares each figure that both have.

    Args:
        subject: The model, see `simdistill.validation.subject.subject`.
        against: `file.py:function`, `module:function`, or a CSV file with a line for each replication.
        replications: How many replications of the model, and of a function, are run.
        margin: How far they may be apart, as a share of the original's mean.
        absolute: Figure -> margin in its own unit, in place of a share.
        confidence: 1 less the level of the tests.
        workers: Number of processes; None for one per core.
        progress: Shows how far it is.

    Raises:
        InputError: If one of them can't be run, or they have no figure in common.
    """
    workers = workers or cores()
    author = original(against, replications)
    if workers > 1 and (wrong := unsendable({subject.policy_name: subject.policy})):
        raise InputError(f"{subject.name}: {wrong[0].replace('workers=1', '--workers 1')}")
    with simulating(workers) as compute:
        runs = compute(partial(simulate, subject), range(replications))
        model_R = _listed(runs, replications, subject.name, progress)
        names = _Names(dict.fromkeys(name for found in model_R for name in found))
        runs = author.figures(compute, names.matched)
        original_R = _listed(runs, author.replications, against, progress)
    return _compared(subject, against, names, original_R, model_R, margin, absolute or {}, confidence)


class _Names:
    """Names of the model's figures, and of the original's as soon as they are known."""

    def __init__(self, model: Iterable[str]):
        self.model, self.original = list(model), []

    def matched(self, original: Iterable[str]) -> list[str]:
        """Returns the names that both have.

        Raises:
            InputError: If there are none.
        """
        self.original = list(dict.fromkeys([*self.original, *original]))
        if not self.both:
            raise InputError(
                "the original and the model have no figure in common; the original has "
                f"{', '.join(self.original) or 'none'}, and the model {', '.join(self.model)}; let them be "
                "called alike, by figures() in the model for example"
            )
        return self.both

    @property
    def both(self) -> list[str]:
        return [name for name in self.original if name in self.model]


def _listed(runs: Iterable[Figures], count: int, what: str, progress: Progress) -> list[Figures]:
    """Returns the figures of all replications."""
    found = []
    progress(what, 0, count)
    for figures in runs:
        found.append(figures)
        progress(what, len(found), count)
    return found


def _compared(
    subject: Subject,
    against: str,
    names: _Names,
    original_R: Sequence[Figures],
    model_R: Sequence[Figures],
    margin: float,
    absolute: Mapping[str, float],
    confidence: float,
) -> Validation:
    names.matched(name for found in original_R for name in found)
    _check_random(against, names.both, (original_R, model_R))
    for name in absolute:
        if name not in names.both:
            raise InputError(f"--absolute {registry.unknown('figure', name, names.both)}")
    comparisons = []
    for name in names.both:
        allowed = Margin(absolute[name], relative=False) if name in absolute else Margin(margin)
        ours, theirs = ([found.get(name, math.nan) for found in runs] for runs in (model_R, original_R))
        comparisons.append(compare(name, theirs, ours, allowed, 1 - confidence))
    return Validation(
        subject,
        against,
        confidence,
        tuple(judged(comparisons, 1 - confidence)),
        tuple(name for name in names.original if name not in names.model),
        tuple(name for name in names.model if name not in names.original),
    )


def _check_random(
    against: str, names: Sequence[str], both: tuple[Sequence[Figures], Sequence[Figures]]
) -> None:
    """Refuses an original of which all replications are one, as of a seed that is fixed in it."""
    same = [len({str([found.get(name) for name in names]) for found in runs}) == 1 for runs in both]
    if same[0] and not same[1]:
        raise InputError(
            f"{against}: all {len(both[0])} replications have the same figures, while the model's differ; "
            "let its argument be the seed, as in random.seed(replication)"
        )


def save(found: Validation, path: Path) -> None:
    """Writes a comparison to a JSON file."""
    write_json(path, found.as_dict())
