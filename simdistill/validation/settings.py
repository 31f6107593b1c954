"""What a user sets on the command line: parameters, margins, and levels of tests."""

import math
from collections.abc import Sequence
from typing import Any

import yaml

from simdistill.errors import InputError


def parameters(texts: Sequence[str]) -> dict[str, Any]:
    """Returns name -> value of texts such as `arrival_rate=2.0`; values are written as in YAML.

    Raises:
        InputError: If a text isn't of this form.
    """
    found = {}
    for text in texts:
        name, value = _pair("--param", text)
        try:
            found[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise InputError(f"--param {text}: the value can't be read as YAML") from None
    return found


def absolutes(texts: Sequence[str]) -> dict[str, float]:
    """Returns figure -> margin of texts such as `lost=0.5`.

    Raises:
        InputError: If a text isn't of this form, or a margin isn't positive.
    """
    found = {}
    for text in texts:
        name, value = _pair("--absolute", text)
        try:
            found[name] = float(value)
        except ValueError:
            raise InputError(f"--absolute {text}: {value!r} is no number") from None
        if not 0 < found[name] < math.inf:
            raise InputError(f"--absolute {text}: a margin is a positive number")
    return found


def check_levels(margin: float, confidence: float) -> None:
    """Checks the margin that is a share of the mean, and the confidence.

    Raises:
        InputError: If one is out of bounds.
    """
    if not 0 < margin < 1:
        raise InputError(f"--margin {margin:g}: must be between 0 and 1; 0.02 is 2% of the original's mean")
    if not 0.5 < confidence < 1:
        raise InputError(f"--confidence {confidence:g}: must be between 0.5 and 1, as 0.95 is")


def _pair(option: str, text: str) -> tuple[str, str]:
    name, equals, value = text.rpartition("=") if option == "--absolute" else text.partition("=")
    if not (name and equals and value):
        raise InputError(f"{option} {text}: write NAME=VALUE")
    return name.strip(), value
