"""What a model says in place of an answer, shown to the person who can mend it."""

from collections.abc import Iterable, Sequence

SHOWN = 10
"""Answers that a diagnosis shows."""


def listed(said: Iterable[tuple[str, Sequence[str]]]) -> str:
    """Returns texts with the choices that there were, each on a line of its own.

    Args:
        said: What was said, and the labels of the choices.
    """
    return "".join(f"\n  {beginning(text)!r}, of {', '.join(labels)}" for text, labels in said)


def beginning(text: str, most: int = 200) -> str:
    """Returns a text on one line, cut."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]}…"
