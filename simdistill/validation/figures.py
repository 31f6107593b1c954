"""Figures of one replication: name -> number, with NaN where a replication has no value."""

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

from simdistill.errors import InputError

Figures = dict[str, float]


def checked(found: Any, said: str) -> Figures:
    """Returns what somebody's function gave, as figures.

    Args:
        found: What it gave.
        said: Names the call, for messages.

    Raises:
        InputError: If it is no mapping from texts to numbers, or a number is infinite.
    """
    if not isinstance(found, Mapping):
        raise InputError(f"{said} returned {found!r}; return a mapping such as {{'wait': 3.2}}")
    for name, value in found.items():
        if not isinstance(name, str):
            raise InputError(f"{said} returned the name {name!r}; names are texts")
        if not isinstance(value, Real) or math.isinf(value):
            raise InputError(
                f"{said} returned {name} = {value!r}; return a finite number, or NaN where there is none"
            )
    return {name.strip(): float(value) for name, value in found.items()}
