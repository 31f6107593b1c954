"""How an answer is read, and how one that can't be read is shown to the person who can mend it."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SHOWN = 10
"""Answers that a diagnosis shows."""

_AROUND = " \t\r\n\"'`*_“”‘’«»()[]{}"
"""What may stand around a label without changing what it means."""
_AFTER = ".,;:!"
"""Punctuation that may follow a label."""
_MARKER = re.compile(r"\banswer\W*:", re.IGNORECASE)
_THOUGHT = re.compile(r"</?think(?:ing)?>", re.IGNORECASE)
_WRAPPED = (
    re.compile(r"<answer>(.*)</answer>", re.IGNORECASE | re.DOTALL),
    re.compile(r"\$?\\boxed\{(?:\\text\{)?([^{}]*)\}?\}\$?"),
)
"""Marks that models are trained to put around an answer."""


@dataclass(frozen=True)
class Parsed:
    """An answer as it was read.

    Attributes:
        choice: Index of the choice; None if the answer is none of the choices.
        lenient: Whether it was read as a choice although it isn't just the label, as in `**A**`.
    """

    choice: int | None
    lenient: bool = False


def parse(text: str, choices: Sequence[str]) -> Parsed:
    """Reads an answer: lenient in its form, strict in its meaning.

    What a model thought (`<think>…</think>`), what comes before a last "Answer:" and after the line that
    follows it, quotation marks, brackets and emphasis, a full stop, and if need be upper and lower case don't
    count. Without "Answer:", the last line counts if it is a label and no other line is another label. A
    label inside a sentence is no answer, nor are two labels.

    Args:
        text: What a model said.
        choices: Labels, all different.
    """
    if text.strip() in choices:
        return Parsed(list(choices).index(text.strip()))
    *thought, said = _THOUGHT.split(text)
    if thought and not _THOUGHT.findall(text)[-1].startswith("</"):
        return Parsed(None)  # it was still thinking
    place = _named(said, choices)
    if place is None and (markers := list(_MARKER.finditer(said))):
        lines = said[markers[-1].end() :].strip(_AROUND).splitlines()
        place = _named(lines[0], choices) if lines else None
    elif place is None:
        lines = said.strip().splitlines()
        place = _named(lines[-1], choices) if lines else None
        others = {_named(line, choices) for line in lines[:-1]}
        place = place if others <= {None, place} else None
    return Parsed(place, place is not None)


def said(completion: Any) -> str:
    """Returns the text of a completion: a text, a message, or messages that end with the model's own."""
    if isinstance(completion, Sequence) and not isinstance(completion, str):
        messages = [part for part in completion if isinstance(part, Mapping) and "role" in part]
        completion = messages[-1] if messages else completion
    if isinstance(completion, Mapping) and "role" in completion:
        completion = completion.get("content")
    return text_of(completion)


def text_of(content: Any) -> str:
    """Returns the text of a message's content: text, None, or a list of parts, of which some are text."""
    if isinstance(content, str):
        return content
    parts = [content] if isinstance(content, Mapping) else content
    parts = parts if isinstance(parts, Sequence) else []
    texts = [part.get("text") if isinstance(part, Mapping) else part for part in parts]
    return "".join(text for text in texts if isinstance(text, str))


def _named(said: str, choices: Sequence[str]) -> int | None:
    """Returns the index of the one choice that a text names, or None.

    What may stand around a label is ignored, but as little of it as possible: if "a" and "A" are two choices,
    case matters, and if "no" and "no." are, the full stop does.
    """
    for pattern in _WRAPPED:
        if found := pattern.fullmatch(said.strip(" \t\r\n*.")):
            said = found[1]
    for form in _FORMS:
        label = form(said)
        labels = [form(choice) for choice in choices]
        if label and labels.count(label) == 1:
            return labels.index(label)
        if label in labels:
            return None
    return None


def _bare(text: str) -> str:
    return text.strip(_AROUND)


def _ended(text: str) -> str:
    return _bare(_bare(text).rstrip(_AFTER))


def _folded(text: str) -> str:
    return " ".join(_ended(text).casefold().replace("−", "-").split())


_FORMS: Sequence[Callable[[str], str]] = (str.strip, _bare, _ended, _folded)
"""Functions that return what is compared of a text; each one ignores more than the one before."""


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
