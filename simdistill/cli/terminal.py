"""Terminal output of verbs: errors as one message, and a console that keeps the width of tables."""

import errno
import os
import shlex
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

import typer
from rich.console import Console

from simdistill.errors import InputError, ProcessError


def wide_console(stderr: bool = False) -> Console:
    """Returns a console that doesn't narrow tables when the output goes to a file.

    Args:
        stderr: Whether the console writes to the standard error stream instead of the standard output.
    """
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=150)


@contextmanager
def only_results_on_stdout() -> Iterator[None]:
    """Sends to stderr whatever is printed while the block runs, also by other processes that it starts.

    What is printed to stdout after the block, its results, then stands there alone.
    """
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


@contextmanager
def explained() -> Iterator[None]:
    """Turns errors that the user can fix into one message on stderr; other errors keep their traceback."""
    try:
        yield
    except InputError as error:
        _stop(str(error), 2)
    except ProcessError as error:
        _stop(f"{error}{_place(error.__cause__)}", 2)
    except KeyboardInterrupt as error:
        # The exception of an interrupted run has the run's folder as its argument.
        folder = f"; go on with simdistill run resume={shlex.quote(error.args[0])}" if error.args else ""
        _stop(f"stopped{folder}", 130)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            _stop(f"{error.filename}: this name is too long for the file system; shorten it", 2)
        if error.errno != errno.ENOSPC:
            raise
        place = f" for {error.filename}" if error.filename else ""
        _stop(
            f"the disk is full: no space left{place}; what was finished is kept, "
            "so make room and go on with simdistill run resume=RUN",
            1,
        )


def _place(cause: BaseException | None) -> str:
    """Returns the line of a simulator's code in which an error was raised; empty without a cause."""
    frames = traceback.extract_tb(cause.__traceback__) if cause else []
    return f"\n  in {frames[-1].filename}, line {frames[-1].lineno}: {frames[-1].line}" if frames else ""


def _stop(message: str, code: int) -> None:
    print(f"simdistill: {message}", file=sys.stderr)
    raise typer.Exit(code)
