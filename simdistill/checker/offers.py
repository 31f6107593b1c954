"""A check of labels: the same choice must have the same label at every decision."""

from simdistill.checker.failures import Found
from simdistill.checker.probe import Subject

NEW = 0.1
"""Share of the decisions in the second half of a run that may offer a new label."""

LEAST = 6
"""Number of decisions with new labels from which on they are reported."""


def labels(subject: Subject) -> Found:
    """Finds models that offer ever new labels, such as labels with a running number in them."""
    run = subject.main
    known: set[str] = set()
    news: list[tuple[float, str] | None] = []
    for step in run.steps:
        new = [label for label in step.labels if label not in known and isinstance(label, str)]
        news.append((step.time, new[-1]) if new else None)
        known.update(new)
    late = [new for new in news[len(news) // 2 :] if new is not None]
    if len(late) < LEAST or len(late) <= NEW * len(news) / 2:
        return
    time, label = late[-1]
    yield (
        f"labels change from state to state: {len(known)} labels in {len(run.steps)} decisions, and new ones "
        f"go on coming, such as {label!r} at time {time:g}",
        "a fit, and a student, learn what each label means: name a choice by what stays the same, as in 'A', "
        "'B' or 'longest waiting', give decide() a mapping from these labels to the objects, and let "
        "observe() show what is special about each",
    )
