"""How an answer is read, and how one that can't be read is shown to the person who can mend it."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MODEL = "assistant"
"""Role of the model in a conversation."""

SHOWN = 10
"""Answers that a diagnosis shows."""

_AROUND = " \t\r\n\"'`*_“”‘’«»()[]{}"
"""What may stand around a label without changing what it means."""
_AFTER = ".,;:!"
"""Punctuation that may follow a label."""
_USUAL_WIDTH = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)}
"""Full-width letter -> the letter of usual width."""
_MARKER = re.compile(r"\banswer(?:\s+is)?\W*[:：]", re.IGNORECASE)
_DENIED = re.compile(
    r"(?:\b(?:no|not|never|wrong|incorrect|false|bad|worst)\b|n['’]t\b)"
    r"(?:(?!\b(?:so|thus|hence|therefore|but)\b)[^.,;:!?\n])*$",
    re.IGNORECASE,
)
"""Words before a mark by which it says what is not the answer."""
_OR = re.compile(r"^\W*(?:or|and|maybe|perhaps)\b", re.IGNORECASE)
_THOUGHT = re.compile(r"</?think(?:ing)?>", re.IGNORECASE)
_WRAPPED = (
    re.compile(r"<answer>(.*?)</answer>", re.IGNORECASE | re.DOTALL),
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
    What a model thought (`<think>…</think>`), what comes before a last "Answer:" and after the line that
    follows it, quotation marks, brackets and emphasis, a full stop, and if need be upper and lower case and
    the width of letters don't count. Without "Answer:", the text in `\\boxed{}` counts, else the last line if
    it is a label and no other line is another label. A label inside a sentence, two labels, and a label after
    "not the answer:" are no answer.

    Args:
        text: What a model said.
        choices: Labels, all different.
    """
    if text.strip() in choices:
        return Parsed(list(choices).index(text.strip()))
    meant = _after_thought(text)
    place = _named(meant, choices)
    if place is None:
        place = _concluded(meant, choices)
    return Parsed(place, place is not None)


def conclusion(text: str) -> str:
    """Returns the line that follows a text's last "Answer:", else its last line, for who knows no choices."""
    meant = _after_thought(text)
    markers = list(_MARKER.finditer(meant))
    lines = _lines(meant[markers[-1].end() :] if markers else meant)
    return lines[0 if markers else -1].strip() if lines else ""


def _after_thought(text: str) -> str:
    """Returns what follows a model's thought; nothing if it was still thinking."""
    *thought, meant = _THOUGHT.split(text)
    return "" if thought and not _THOUGHT.findall(text)[-1].startswith("</") else meant


def _concluded(text: str, choices: Sequence[str]) -> int | None:
    """Returns the choice that a text comes to: the one that is marked as the answer, else its last line."""
    if markers := list(_MARKER.finditer(text)):
        lines = _lines(text[markers[-1].end() :])
        mark, named, others = markers[-1], lines[:1], lines[1:]
    elif marks := [mark for pattern in _WRAPPED for mark in pattern.finditer(text)]:
        mark, named, others = marks[0], [marks[0][1]], [mark[1] for mark in marks[1:]]
    else:
        lines = _lines(text)
        mark, named, others = None, lines[-1:], lines[:-1]
    if not named or (mark and _DENIED.search(text[: mark.start()])):
        return None
    place = _named(named[0], choices)
    return place if {_named(_OR.sub("", line), choices) for line in others} <= {None, place} else None


def _lines(text: str) -> list[str]:
    """Returns the lines that have more than signs."""
    return [line for line in text.splitlines() if line.strip(_AROUND)]


def said(completion: Any) -> str:
    """Returns the text of a completion: a text, a message, or the model's last message of a conversation."""
    if isinstance(completion, Sequence) and not isinstance(completion, str):
        messages = [part for part in completion if isinstance(part, Mapping) and _is_message(part)]
        of_model = [message for message in messages if message.get("role", MODEL) == MODEL]
        completion = of_model[-1] if of_model else "" if messages else completion
    if isinstance(completion, Mapping) and _is_message(completion):
        completion = completion.get("content")
    return text_of(completion)


def _is_message(part: Mapping) -> bool:
    return "role" in part or "content" in part


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
    return " ".join(_ended(_plain(text)).casefold().replace("−", "-").split())


def _plain(text: str) -> str:
    """Returns a text composed, in letters of usual width, and without signs that can't be seen."""
    usual = unicodedata.normalize("NFC", text).translate(_USUAL_WIDTH)
    return "".join(sign for sign in usual if unicodedata.category(sign) != "Cf")


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
