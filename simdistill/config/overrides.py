"""The overrides `field=value` of the command line. Several values of a field make a sweep of several runs.

The value of a text field is taken literally, whatever characters it has: a path, an address, a description.
Commas make a sweep only in names (of tasks, methods, students, …) and in values that aren't text;
`choice(a,b)` sweeps any field. Quotation marks around a whole value are removed; a comma in a quoted name
doesn't make a sweep. In text and between quotation marks, `${` is literal and doesn't begin an interpolation.
"""

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from pydantic.fields import FieldInfo
from yaml import YAMLError

from simdistill.config.explained import unknown_field
from simdistill.config.fields import field_at, is_name, is_text, takes_null, written
from simdistill.config.plug_ins import SECTIONS, OldNames
from simdistill.config.renames import RENAMED, rename
from simdistill.config.run import RunConfig
from simdistill.config.task import TaskConfig
from simdistill.errors import InputError

NOT_YAML = re.compile(r"[-+]?(0[\d_]+|\d+(:[\d.]+)+)")
"""Octal and sexagesimal numbers of YAML 1.1, in which 010 is 8 and 1:30 is 90; they are read as text here."""


TASK = TaskConfig.model_fields["simulator"]
"""The field by whose rules the value of task=NAME is read: a name."""


def runs(overrides: Sequence[str], old_names: OldNames) -> Iterator[dict[str, Any]]:
    """Yields, for each run of a sweep, dotted name -> value of the overridden fields.

    Args:
        overrides: Texts such as `seed=1`.
        old_names: Mapping to which old field names are added, with their present names.

    Raises:
        InputError: If an override can't be read, or there is no such field.
    """
    pairs = [_pair(override, old_names) for override in overrides]
    named = {key.removesuffix(".name"): _parts(text) for key, text in pairs if key.endswith(".name")}
    values: dict[str, list[Any]] = {}
    for key, text in pairs:
        values.pop(key, None)  # The last override of a field counts, at its own position.
        values[key] = _values(key, text, TASK if key == "task" else field_at(key, named))
    for combination in itertools.product(*values.values()):
        run = dict(zip(values, combination, strict=True))
        old_names.update(rename(run))
        yield run


def _pair(override: str, old_names: OldNames) -> tuple[str, str]:
    """Returns the dotted name of a field and the text of its value."""
    key, equals, text = override.partition("=")
    if override[:1] in ("+", "~"):
        raise InputError(f"{override}: write field=value, without + or ~")
    if not equals:
        raise InputError(f"{override}: write field=value, as in seed=1")
    if key.split(".")[0] not in written(RunConfig):
        raise InputError(f"{override}: {unknown_field(key, list(written(RunConfig)), {})}")
    if key in (*SECTIONS, "student") and not text.startswith("{"):
        key += ".name"
    if key in RENAMED:
        old_names[key] = RENAMED[key]
    return RENAMED.get(key, key), text


def _values(key: str, text: str, field: FieldInfo | None) -> list[Any]:
    """Returns the values in the text of an override, one for each run of the sweep."""
    override = f"{key}={text}"
    if choice := re.fullmatch(r"choice\((.*)\)", text):
        return [_value(override, part, field) for part in _parts(choice[1])]
    if field is not None and is_text(field):
        swept = is_name(field) and not exists(text)
        return [_value(override, part, field) for part in (_parts(text) if swept else [text])]
    if sweep := re.fullmatch(r"range\((.*)\)", text):
        return _range(override, sweep[1])
    if re.fullmatch(r"\w+\(.*\)", text):
        raise InputError(f"{override}: sweep over values, as in seed=0,1,2 or seed=range(3)")
    return [_value(override, part, field) for part in _parts(text)]


def _value(override: str, text: str, field: FieldInfo | None) -> Any:
    """Returns the value that a text stands for."""
    if (quoted := _unquoted(text)) is not None:
        return quoted.replace("${", r"\${")
    if field is not None and is_text(field):
        return None if text in ("", "null") and takes_null(field) else text.replace("${", r"\${")
    text = text.strip()
    if text.lower() in ("nan", "inf", "-inf"):
        return float(text)
    try:
        value = _yaml(text)
    except YAMLError:
        if text[:1] not in ("[", "{"):
            return text
        raise InputError(
            f"{override}: {text} isn't closed; write a list as [a, b], a group of fields as {{name: value}}"
        ) from None
    return text if NOT_YAML.fullmatch(text) or (isinstance(value, dict) and text[0] != "{") else value


def _yaml(text: str) -> Any:
    """Returns a value written as YAML; in a group such as {a:1} the space after a colon may be left out."""
    if text.startswith("{"):
        text = re.sub(r"([{,]\s*[\w.]+):(?=[^\s,}])", r"\1: ", text)
    return OmegaConf.to_container(OmegaConf.from_dotlist([f"value={text}"]))["value"]  # type: ignore[index]


def _range(override: str, text: str) -> list[Any]:
    """Returns the numbers of range(stop), range(start, stop) or range(start, stop, step)."""
    numbers = [_value(override, part, None) for part in _parts(text)]
    if not 1 <= len(numbers) <= 3 or any(type(number) not in (int, float) for number in numbers):
        raise InputError(f"{override}: write range(stop), range(start,stop) or range(start,stop,step)")
    start, stop, step = {1: [0, *numbers, 1], 2: [*numbers, 1], 3: numbers}[len(numbers)]
    count = math.ceil((stop - start) / step) if step else 0
    if count < 1:
        raise InputError(f"{override}: the range is empty")
    return [start + number * step for number in range(count)]


def _parts(text: str) -> list[str]:
    """Returns the parts of a text between the commas that are outside of quotation marks and brackets."""
    parts, begin, depth, quote = [], 0, 0, ""
    for place, character in enumerate(text):
        if quote:
            quote = "" if character == quote and text[place - 1] != "\\" else quote
        elif character in "'\"" and text[begin:place].rstrip()[-1:] in ("", *"[{(,:"):
            quote = character
        elif character in "[{(":
            depth += 1
        elif character in "]})":
            depth -= 1
        elif character == "," and depth == 0:
            parts.append(text[begin:place].strip())
            begin = place + 1
    return [*parts, text[begin:].strip()]


def _unquoted(text: str) -> str | None:
    """Returns a text without the quotation marks around it; None if it isn't quoted as a whole."""
    quoted = re.fullmatch(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""", text, flags=re.S)
    return None if quoted is None else re.sub(r"\\(['\"])", r"\1", quoted[1] or quoted[2] or "")


def exists(text: str) -> bool:
    """Returns whether a file or folder of this name exists."""
    try:
        return Path(text).expanduser().exists()
    except (OSError, RuntimeError, ValueError):
        return False
