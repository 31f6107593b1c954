"""Checks that run in a process of their own, which can be ended whatever the model does, even in C code."""

import faulthandler
import pickle
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simdistill import registry
from simdistill.checker.check import BLOCKED, CheckReport, Inspection, Problem
from simdistill.checker.failures import line_of
from simdistill.errors import InputError
from simdistill.simulation.model import ProcessModel

LATER = 1.0
"""Seconds that the process gets to stop by itself when its time is up, before it is ended."""

_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+) in (?P<function>.+)')
_PLACES = ("/simpy/", "/simdistill/simulation/", "/simdistill/checker/", "<frozen")


def inspect_apart(
    simulator: str,
    parameters: Mapping[str, Any] | None,
    *,
    deterministic: bool,
    seconds: float,
    until: float,
) -> CheckReport:
    """Checks a simulator in a process of its own, which is ended when its time is up.

    Args:
        simulator: A registered name, or module:Class.
        parameters: The simulator's parameters; None for the defaults.
        deterministic: As in `inspect_simulator`.
        seconds: Wall time that the checks may take.
        until: As in `inspect_simulator`.

    Returns:
        The report; if the process had to be ended, it has what was found until then.

    Raises:
        InputError: If there is no such simulator, or the parameters aren't valid.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        task = {
            "simulator": simulator,
            "parameters": parameters,
            "deterministic": deterministic,
            "until": until,
            "end": time.time() + seconds,
            "path": sys.path,
            "registered": registry.registered(),
        }
        (place / "task").write_bytes(pickle.dumps(task))
        process = subprocess.Popen([sys.executable, "-c", _PROGRAM, folder])
        try:
            process.wait(seconds + 2 * LATER)
        except subprocess.TimeoutExpired:
            pass
        finally:
            process.kill()
            process.wait()
        if (place / "refused").exists():
            raise InputError((place / "refused").read_text(encoding="utf-8"))
        if (place / "done").exists():
            return pickle.loads((place / "report").read_bytes())
        return _cut_short(place, simulator, seconds)


_PROGRAM = """
import pickle, sys
from pathlib import Path
folder = Path(sys.argv[1])
task = pickle.loads((folder / "task").read_bytes())
sys.path[:] = task.pop("path")
from simdistill.checker.apart import work
work(folder, **task)
"""


def work(
    folder: Path,
    simulator: str,
    parameters: Mapping[str, Any] | None,
    deterministic: bool,
    until: float,
    end: float,
    registered: Mapping[tuple[str, str], str],
) -> None:
    """Makes the checks in the process of their own, and saves a report after each of them.

    Args:
        folder: Folder for the files `report`, `refused` (the message of an `InputError`), `where` (the line
            at which time was up) and `done`.
        simulator: A registered name, or module:Class.
        parameters: The simulator's parameters; None for the defaults.
        deterministic: As in `inspect_simulator`.
        until: As in `inspect_simulator`.
        end: Time of day at which to stop, in seconds since the epoch.
        registered: What the calling process has registered.
    """
    with (folder / "where").open("w") as where:
        faulthandler.dump_traceback_later(max(0.1, end + LATER - time.time()), file=where)
        try:
            registry.register_all(dict(registered))
            inspection = Inspection(_loaded(simulator), parameters, deterministic=deterministic, until=until)

            def progress(phase: str, done: int, total: int) -> None:
                (folder / "new").write_bytes(pickle.dumps(inspection.report))
                (folder / "new").replace(folder / "report")

            inspection.made(max(0.1, end - time.time()), progress)
        except InputError as error:
            (folder / "refused").write_text(str(error), encoding="utf-8")
            return
        finally:
            faulthandler.cancel_dump_traceback_later()
    progress("", 0, 0)
    (folder / "done").touch()


def _loaded(simulator: str) -> type[ProcessModel]:
    """Imports a simulator.

    Raises:
        InputError: If there is none, or its file fails.
    """
    try:
        return registry.load("simulators", simulator)
    except InputError:
        raise
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        place = "" if isinstance(error, SyntaxError) else line_of(error)  # a syntax error tells its own
        raise InputError(f"{simulator} can't be imported: {told}{place}; mend its file") from error


def _cut_short(place: Path, simulator: str, seconds: float) -> CheckReport:
    """Returns the report of a process that had to be ended, or that ended without being done."""
    name, found = simulator.rpartition(":")[2], None
    if (place / "report").exists():
        found = pickle.loads((place / "report").read_bytes())
    said = (place / "where").read_text() if (place / "where").exists() else ""
    # faulthandler writes the most recent call first.
    frames = [match for line in said.splitlines() if (match := _FRAME.search(line))]
    own = [frame for frame in frames if not any(part in frame["file"] for part in _PLACES)]
    line = f" ({own[0]['file']}, line {own[0]['line']}, in {own[0]['function']})" if own else ""
    if said:
        problem = Problem(
            "runs", f"the model doesn't come back: it was ended after {seconds:g} seconds{line}", BLOCKED
        )
    else:
        problem = Problem("runs", "the process in which the model was checked has ended", BLOCKED)
    before = found or CheckReport(name, (), (), (), ("all checks",), seconds)
    return CheckReport(
        before.simulator, before.checks, (problem, *before.problems), before.notes, before.unfinished, seconds
    )
