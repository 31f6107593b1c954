"""Checks live states against the states of the training questions."""

import math
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from simdistill.serving.schema import MOST_TEXTS, TRAINING, type_of

NOUNS = {"integer": "a whole number", "array": "a list", "object": "an object"}


class StateChecker:
    """Checks live states against one schema.

    Args:
        schema: JSON Schema of a state, from `schema_of`.
    """

    def __init__(self, schema: dict[str, Any]):
        self.schema = schema
        self._right = _Right(schema)
        self._like_training = extend(_Right, {TRAINING: _like_training})(schema)

    def read(self, state: Any) -> tuple[Any, list[str]]:
        """Returns a state, written as in the training questions, and a line for each mistake in it."""
        wrong = list(map(_line, self._right.iter_errors(state)))
        return state if wrong else _written(state, self.schema), wrong

    def outside(self, state: Any) -> list[str]:
        """Returns a line for each part of a state (from `read`) that lies outside the training data."""
        return list(map(_line, self._like_training.iter_errors(state)))

    def beyond(self, state: Any, times: float) -> bool:
        """Returns whether a number in a state is over `times` times its largest value in training."""

        def far(_: Any, seen: dict, value: Any, __: dict) -> Iterator[ValidationError]:
            if "minimum" in seen and value is not None:
                largest = max(1.0, abs(seen["minimum"]), abs(seen["maximum"]))
                if abs(value) > times * largest:
                    yield ValidationError("")

        return not extend(_Right, {TRAINING: far})(self.schema).is_valid(state)


def _written(value: Any, schema: dict[str, Any]) -> Any:
    """Returns a value with integers or floats, and the order of fields, as in the training questions.

    Teachers read a state's numbers in the order of its fields, and prompts show numbers as they are written.
    """
    kind = type_of(schema)
    if isinstance(value, dict) and kind == "object":
        parts = schema["properties"].items()
        return {name: _written(value[name], part) for name, part in parts if name in value}
    if isinstance(value, list) and kind == "array":
        places = schema.get("prefixItems") or [schema.get("items", {})] * len(value)
        return [_written(entry, part) for entry, part in zip(value, places, strict=True)]
    if isinstance(value, float) and kind == "integer":
        return int(value)  # 3.0 is a whole number in JSON
    if isinstance(value, int) and kind == "number" and not schema[TRAINING]["whole"]:
        return float(value)
    return value


# Checks of JSON Schema keywords with error messages that say what is expected; `_line` puts the place first.


def _type(checker: Any, wanted: Any, value: Any, schema: dict) -> Iterator[ValidationError]:
    if not any(checker.is_type(value, kind) for kind in ([wanted] if isinstance(wanted, str) else wanted)):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        infinite = number and type_of(schema) in ("integer", "number") and not _finite(value)
        noun = "a finite number" if infinite else _a(type_of(schema))
        yield ValidationError(f" = {_shown(value)}: must be {noun}")


def _required(checker: Any, names: list[str], value: Any, schema: dict) -> Iterator[ValidationError]:
    for name in names if isinstance(value, dict) else ():
        if name not in value:
            noun = _a(type_of(schema["properties"][name]))
            yield ValidationError(f": missing; must be {noun}", path=[name])


def _unknown(checker: Any, _: bool, value: Any, schema: dict) -> Iterator[ValidationError]:
    known = schema["properties"]
    for name in value if isinstance(value, dict) else ():
        if name not in known:
            text = f" = {_shown(value[name])}: unknown; known: {', '.join(known)}"
            yield ValidationError(text, path=[name])


def _length(checker: Any, length: int, value: Any, schema: dict) -> Iterator[ValidationError]:
    if isinstance(value, list) and len(value) != length:
        entries = f"{length} entr{'y' if length == 1 else 'ies'}"
        yield ValidationError(f" = {_shown(value)}: must have {entries}, not {len(value)}")


def _like_training(checker: Any, seen: dict, value: Any, schema: dict) -> Iterator[ValidationError]:
    low, high = (seen.get("minimum"), seen.get("maximum"))
    if value is None:
        return
    if low is not None and not low <= value <= high:
        shown = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        yield ValidationError(f" = {value:.12g}, training had {shown}")
    elif "values" in seen and value not in seen["values"] and len(seen["values"]) < MOST_TEXTS:
        yield ValidationError(f" = {_shown(value)}, training had {', '.join(seen['values'])}")
    elif "minItems" in seen and not seen["minItems"] <= len(value) <= seen["maxItems"]:
        lengths = f"{seen['minItems']} to {seen['maxItems']}"
        yield ValidationError(f" has {len(value)} entries, training had {lengths}")


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number of more than 308 digits
        return False


def _is_number(checker: Any, value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and _finite(value)


def _is_integer(checker: Any, value: Any) -> bool:
    return _is_number(checker, value) and value == int(value)


# The schema of a list has both minItems and maxItems or neither, so only minItems is checked.
_Right = extend(
    Draft202012Validator,
    {
        "type": _type,
        "required": _required,
        "additionalProperties": _unknown,
        "minItems": _length,
        "maxItems": lambda *_: (),
    },
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"number": _is_number, "integer": _is_integer}
    ),
)


def _line(error: ValidationError) -> str:
    """Returns an error's message, which begins with the place in the state, such as `servers[0].jobs`."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path]
    return "".join(parts).removeprefix(".") + error.message


def _a(kind: str | None) -> str:
    return NOUNS.get(kind or "value", f"a {kind or 'value'}")


def _shown(value: Any) -> str:
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
