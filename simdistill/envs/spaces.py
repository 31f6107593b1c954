"""Gymnasium spaces for forms of states, and states as elements of these spaces."""

import string
from typing import Any

import numpy as np
from gymnasium import Space, spaces

from simdistill.simulation.forms import Encoding
from simdistill.simulation.forms.form import (
    Category,
    Fields,
    Form,
    Missing,
    Number,
    Places,
    Queue,
    Text,
    wrong,
)

LARGEST = 1e9
"""Bound of an observed number; Gymnasium's checker advises against infinite bounds."""
LONGEST = 1000
"""Largest number of characters of an observed text."""
CHARACTERS = frozenset(string.printable) | frozenset(map(chr, range(0xA0, 0x180))) | frozenset("–—‘’“”…€→")
"""Characters that an observed text may contain: those of the Latin alphabets, and some signs."""


def box(size: int) -> spaces.Box:
    """Returns the space of `size` numbers."""
    return spaces.Box(-LARGEST, LARGEST, shape=(size,), dtype=np.float64)


def flat_space(encoding: Encoding) -> spaces.Box:
    """Returns the space of the features of states; features that are 0 or 1 have these bounds."""
    flag_F = encoding.flags()
    return spaces.Box(np.where(flag_F, 0.0, -LARGEST), np.where(flag_F, 1.0, LARGEST), dtype=np.float64)


def space_of(form: Form) -> Space:
    """Returns the space of a form.

    A dictionary becomes a `Dict`, a number or a list of numbers a `Box`, a category `Discrete`, a list of
    varying length a `Sequence`, and text `Text`. A value that may be missing becomes a `Dict` of `given`
    (0 or 1) and `value`, which is all zeros if the value is missing.
    """
    match form:
        case Number():
            return box(1)
        case Category():
            return spaces.Discrete(form.width)
        case Text():
            text = spaces.Text(LONGEST, min_length=0, charset=CHARACTERS)
            return spaces.Sequence(text) if form.many else text
        case Missing():
            return spaces.Dict({"given": spaces.Discrete(2), "value": space_of(form.value)})
        case Fields():
            return spaces.Dict([(name, space_of(part)) for name, part in form.parts.items()])
        case Places():
            return box(form.width) if form.plain else spaces.Tuple([space_of(part) for part in form.parts])
        case Queue():
            return spaces.Sequence(space_of(form.entry))


def element(form: Form, value: Any, where: str = "") -> Any:
    """Returns a state, or a part of it, as an element of the space of its form.

    Raises:
        InputError: If a value can't be encoded; the message names the field and the value.
    """
    match form:
        case Category():
            return np.int64(form.place(value, where))
        case Text():
            form.put(value, where, [])
            return (
                tuple(_text(part, where) for part in value or ()) if form.many else _text(value or "", where)
            )
        case Missing():
            given = value is not None
            part = element(form.value, value, where) if given else _nothing(form.value)
            return {"given": np.int64(given), "value": part}
        case Fields():
            form.put(value, where, [])  # checks the names
            return {
                name: element(part, value.get(name), f"{where}.{name}".removeprefix("."))
                for name, part in form.parts.items()
            }
        case Places() if not form.plain:
            form.put(value, where, [])
            parts = zip(form.parts, value, strict=True)
            return tuple(element(part, entry, f"{where}[{n}]") for n, (part, entry) in enumerate(parts))
        case Queue():
            form.put(value, where, [])
            return tuple(element(form.entry, entry, f"{where}[{n}]") for n, entry in enumerate(value))
        case _:
            found: list[float] = []
            form.put(value, where, found)
            return np.array(found)


def _nothing(form: Form) -> Any:
    """Returns the element that stands for a missing value."""
    match form:
        case Category():
            return np.int64(0)
        case Text():
            return () if form.many else ""
        case Missing():
            return {"given": np.int64(0), "value": _nothing(form.value)}
        case Fields():
            return {name: _nothing(part) for name, part in form.parts.items()}
        case Places() if not form.plain:
            return tuple(map(_nothing, form.parts))
        case Queue():
            return ()
        case _:
            return np.zeros(form.width)


def _text(text: str, where: str) -> str:
    if len(text) > LONGEST:
        raise wrong(where, text, f"it has {len(text):,} characters, at most {LONGEST:,} are observed")
    if not CHARACTERS.issuperset(text):
        sign = next(sign for sign in text if sign not in CHARACTERS)
        raise wrong(where, text, f"the character {sign!r} is none of those that are observed")
    return text
