"""How an answer is read, and how one that can't be read is shown to the person who can mend it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

SHOWN = 10
"""Answers that a diagnosis shows."""

_AROUND = " \t\r\n\"'`*_“”‘’«»()[]{}"
"""What may stand around a label without changing what it means."""
_MARKER = re.compile(r"\banswer\W*:", re.IGNORECASE)


@dataclass(frozen=True)
class Parsed:
    """An answer as it was read.

    Attributes:
        choice: Index of the choice; None if the answer is none of the choices.
        lenient: Whether it is a choice only if its form is overlooked.
    """

    choice: int | None
    lenient: bool = False


def parse(text: str, choices: Sequence[str]) -> Parsed:
    """Reads an answer: lenient in its form, strict in its meaning.

    What a model thought (`<think>…</think>`), what comes before a last "Answer:" and after the line that
    follows it, quotation marks, brackets and emphasis, a full stop, and if need be upper and lower case don't
    count. A label inside a sentence, or two labels, are no answer.

    Args:
        text: What a model said.
        choices: Labels, all different.
    """
    if text.strip() in choices:
        return Parsed(list(choices).index(text.strip()))
    _, end, said = text.rpartition("</think>")
    said = said if end or "<think>" not in text else ""
    place = _named(said, choices)
    if place is None and (markers := list(_MARKER.finditer(said))):
        lines = said[markers[-1].end() :].strip(_AROUND).splitlines()
        place = _named(lines[0], choices) if lines else None
    return Parsed(place, place is not None)


def text_of(content: Any) -> str:
    """Returns the text of a message's content: text, None, or a list of parts, of which some are text."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part if isinstance(part, str) else part.get("text") for part in parts if part]
    return "".join(text for text in texts if isinstance(text, str))


def _named(said: str, choices: Sequence[str]) -> int | None:
    """Returns the one choice that a text names, apart from what may stand around a label."""
    for fold in (str, str.casefold):
        labels = [_bare(fold(choice)) for choice in choices]
        if labels.count(_bare(fold(said))) == 1:
            return labels.index(_bare(fold(said)))
    return None


def _bare(text: str) -> str:
    return text.strip(_AROUND).rstrip(".,;:!").strip(_AROUND)


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
