"""Reads and checks files of known answers.

`known_answers.schema.json` beside this file describes their layout for editors and other tools. Pydantic
generates it from the classes below.
"""

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from simdistill.errors import InputError
from simdistill.simulation.known_case import KnownCase

PACKAGED = "simdistill.simulators.known_answers"
Name = Annotated[str, Field(min_length=1)]


class _Part(BaseModel):
    """Part of a case; fields that aren't declared here belong to the case's family and are kept."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)


class Run(_Part):
    """How the system is simulated."""

    kind: Literal["steady_state", "terminating", "unstable"] = Field(
        description="what the answers are: long-run averages, results of whole episodes, or rates of growth"
    )
    start: str | None = Field(default=None, description="state at time 0, e.g. empty")


class Choice(_Part):
    """The policy; its arguments are further fields beside its name."""

    name: Name = Field(description="name of the policy")


class Expected(_Part):
    """One known answer."""

    measure: Name = Field(description="quantity that is measured, with its unit if the family has several")
    value: float | Annotated[list[float], Field(min_length=1)] = Field(
        description="the answer: a number, or a list with a number for each component"
    )
    tolerance: float = Field(
        ge=0,
        description="error of the value itself: rounding, numerical, or a simulation's half-width",
    )
    source: Name = Field(
        description="origin: exact formula, exact by value iteration, published, long simulation …"
    )


class Case(_Part):
    """A system, the policy that decides in it, and its known answers."""

    id: Name = Field(description="unique name of the case")
    family: Name = Field(description="kind of system; each simulator lists its families")
    parameters: dict[str, Any] = Field(description="all parameters of the system")
    conventions: dict[str, Any] = Field(
        default_factory=dict,
        description="the meaning of parameters that can be understood in several ways",
    )
    policy: Choice | None = Field(default=None, description="the policy; left out where nothing is decided")
    run: Run | None = Field(
        default=None, description="how the system is simulated; left out for cases that are only calculated"
    )
    expected: Annotated[list[Expected], Field(min_length=1)] = Field(description="the known answers")


_FILE = TypeAdapter(list[Case])


def schema() -> dict:
    """Returns the JSON Schema of a file of known answers."""
    found = _FILE.json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Known answers",
        "description": "Systems and what a correct simulator or reference solver of them must reproduce.",
        **found,
    }


def packaged() -> list[KnownCase]:
    """Returns simdistill's own cases."""
    return read(Path(str(files(PACKAGED))))


def read(folder: Path) -> list[KnownCase]:
    """Reads all `*.json` files of a folder, in the order of their names.

    Raises:
        InputError: If the folder has no such file, or a file is wrong. The message names the file, case and
            field of each error.
    """
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise InputError(f"{folder}: the folder has no files of known answers (*.json)")
    cases = [case for path in paths for case in _read_file(path)]
    repeated = _repeated([case.id for case in cases])
    if repeated:
        raise InputError(f"{folder}: several cases have the id {repeated[0]!r}; ids must differ")
    return cases


def _read_file(path: Path) -> list[KnownCase]:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: the file isn't valid JSON: {error}") from None
    try:
        _FILE.validate_python(raw)
    except ValidationError as error:
        lines = [_line(path, raw, e["loc"], e["input"], e["msg"]) for e in error.errors()]
        raise InputError("\n".join(lines)) from None
    return [
        KnownCase(
            id=case["id"],
            family=case["family"],
            parameters=case["parameters"],
            policy=case.get("policy") or {},
            conventions=case.get("conventions") or {},
            run=case.get("run") or {},
            expected=tuple(case["expected"]),
            folder=path.parent,
        )
        for case in raw
    ]


def _line(path: Path, raw: Any, place: tuple, value: Any, message: str) -> str:
    """Returns an error's message, with its case (by id, or by number if there is no id) and field."""
    if not place:
        return f"{path}: a file of known answers must be a list of cases"
    number, *rest = place
    case = raw[number] if isinstance(raw[number], dict) else {}
    name = case.get("id", f"case {number + 1}")
    # Pydantic names the alternatives of a union ("list[float]"); the author of a file doesn't know them.
    field = ".".join(str(part) for part in rest if not str(part).endswith("]") and part != "float")
    shown = f" = {value!r}" if len(repr(value)) < 60 else ""
    return f"{path}: {name}: {field or 'case'}{shown}: {message}"


def _repeated(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
