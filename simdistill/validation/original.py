"""The original: a function that runs the author's model once, or a CSV file of its replications."""

import io
import math
import re
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from simdistill import registry
from simdistill.errors import InputError
from simdistill.executors import Map
from simdistill.inputs.csv_table import Row, Table, read
from simdistill.validation.figures import Figures, checked

Matched = Callable[[Iterable[str]], list[str]]
"""Takes the names of the original's figures; returns those that the model has as well."""

_FUNCTION = re.compile(r".+:[A-Za-z_][A-Za-z_0-9.]*")


class Original(Protocol):
    """The author's own model, whose replications are compared."""

    @property
    def replications(self) -> int:
        """How many replications there are."""
        ...

    def figures(self, compute: Map, matched: Matched) -> Iterator[Figures]:
        """Yields the figures of each replication.

        Args:
            compute: Runs them.
            matched: Called with the names of all figures before most of the replications are run; returns
                those that are compared.
        """
        ...


class Function:
    """A function that runs the original once: `figures(replication) -> {name: value}`.

    What the original prints isn't shown.

    Args:
        target: `file.py:function` or `module:function`.
        replications: How many replications to run; they are numbered from 0.

    Raises:
        InputError: If there is no such function.
    """

    def __init__(self, target: str, replications: int):
        self.target, self.replications = target, replications
        if not callable(_function(target)):
            raise InputError(f"{target} is no function; write figures(replication) -> {{name: value}}")

    def figures(self, compute: Map, matched: Matched) -> Iterator[Figures]:
        """Yields the figures of each replication, after `matched` has seen those of the first."""
        for number, found in enumerate(compute(partial(once, self.target), range(self.replications))):
            if number == 0:
                matched(found)
            yield found


def once(target: str, replication: int) -> Figures:
    """Runs the original once, in whichever process, and returns its figures.

    Raises:
        InputError: If the function fails or returns no figures; the message has the line.
    """
    function, said = _function(target), f"{target.rpartition(':')[2]}({replication}) of {target}"
    try:
        with redirect_stdout(io.StringIO()):
            found = function(replication)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise InputError(
            f"{said} raised {type(error).__name__}: {error}\n"
            f"  in {place.filename}, line {place.lineno}: {place.line}"
        ) from error
    return checked(found, said)


def _function(target: str) -> Any:
    return registry.load_target(target, "the original")


class Replications:
    """A CSV file with a line for each replication and a column for each figure.

    Args:
        path: The file.

    Raises:
        InputError: If it can't be read, or has fewer than two lines.
    """

    def __init__(self, path: Path):
        self.table: Table = read(path, ())
        self.replications = len(self.table.rows)
        if self.replications < 2:
            raise InputError(f"{path}: has one replication; at least two are needed, a line for each")

    def figures(self, compute: Map, matched: Matched) -> Iterator[Figures]:
        """Yields the figures of each line; an empty value is NaN.

        Columns that are no figures of the model, such as a date, needn't hold numbers.
        """
        columns = matched([name for name in self.table.columns if name])
        for row in self.table.rows:
            yield {name: _value(row, name) for name in columns}


def _value(row: Row, column: str) -> float:
    value = row.any_number(column) if row.text(column) else math.nan
    if math.isinf(value):
        raise row.error(column, "is infinite; leave it empty where a replication has no value")
    return value


def original(text: str, replications: int) -> Original:
    """Returns the original that a text names.

    Args:
        text: `file.py:function`, `module:function`, or the path of a CSV file.
        replications: How many replications a function runs.

    Raises:
        InputError: If there is no such function or file.
    """
    path = Path(text).expanduser()
    if path.suffix == ".py":
        raise InputError(f"{text}: say which function gives the figures, as in {text}:figures")
    if path.is_file():
        return Replications(path)
    if not _FUNCTION.fullmatch(text):
        raise InputError(
            f"{text}: there is no such file; write FILE.py:FUNCTION, or the path of a CSV file of the "
            "original's replications"
        )
    return Function(text, replications)
