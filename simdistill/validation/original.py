"""The original: a function that runs the author's model once, or a CSV file of its replications."""

import io
import math
import re
import sys
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from functools import partial
from pathlib import Path
from types import ModuleType
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
        with redirect_stdout(io.StringIO()), own_modules(target):
            found = function(replication)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise InputError(
            f"{said} raised {type(error).__name__}: {error}\n"
            f"  in {place.filename}, line {place.lineno}: {place.line}"
        ) from error
    return checked(found, said)


def _function(target: str) -> Any:
    with own_modules(target):
        return registry.load_target(target, "the original")


_modules: dict[Path, dict[str, ModuleType]] = {}
"""Folder of an original -> the modules that were imported from it."""


@contextmanager
def own_modules(target: str) -> Iterator[None]:
    """Lets an original's file import the modules of its own folder while the block runs.

    The adapted model is usually a copy: its files, and the files that it imports, have the original's names.
    Python knows one module by each name, so the original's modules stand in for the others, which come back.

    Args:
        target: `file.py:function`; nothing is done for `module:function`.
    """
    file = Path(target.rpartition(":")[0]).expanduser().resolve()
    if file.suffix != ".py":
        yield
        return
    folder = file.parent
    names = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/*.py")}
    names -= {name for name in names if _is_in(folder, sys.modules.get(name))}
    others, path = _taken_out(names), list(sys.path)
    sys.modules |= _modules.get(folder, {})
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        _modules[folder] = _taken_out(names)
        sys.modules |= others
        sys.path[:] = path


def _is_in(folder: Path, module: ModuleType | None) -> bool:
    """Returns whether a module was imported from a folder."""
    return folder in Path(getattr(module, "__file__", None) or "").parents


def _taken_out(names: Collection[str]) -> dict[str, ModuleType]:
    """Takes modules, and those inside them, out of the modules that Python knows, and returns them."""
    return {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] in names}


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
