"""Runs the cells of a leaderboard's protocol, and writes the leaderboard's page.

    python benchmarks/leaderboard.py benchmarks/protocols/cpu-v1.yaml benchmarks/results/cpu-v1
    python benchmarks/leaderboard.py PROTOCOL FOLDER --cells 'queueing-*' --until 60
    python benchmarks/leaderboard.py PROTOCOL FOLDER --beside 2

Each cell is a separate run in FOLDER/<task>-<method>-<seed>; cells run in the protocol's order. When the
command is repeated, finished cells are skipped, stopped cells are resumed, and failed cells, which are listed
in FOLDER/failed.json, are tried again. Of a finished run only the files that the board needs are kept. With
--beside N, N cells run at a time on one core each: more cells per hour, but each takes longer.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console

from simdistill.errors import InputError
from simdistill.files import read_json, write_json, write_text
from simdistill.leaderboard import Cell, Protocol, board, load_protocol, read_results
from simdistill.leaderboard.page import show, write_page
from simdistill.leaderboard.protocol import FILE

KEPT = ("config.yaml", "metrics.json", "environment.json")
FAILED = "failed.json"
REPORT = "report.html"
"""File that a run writes last."""
ONE_CORE = ("workers=1", "threads=1")
INTERRUPTED = (130, -signal.SIGINT)
"""Exit codes of a run that was stopped by Ctrl-C; such a run hasn't failed."""
SAID = 2000
"""Number of characters at the end of a failed run's error output that are recorded."""


def prepare(protocol_path: Path, folder: Path) -> Protocol:
    """Checks a protocol and copies it into the folder of its results.

    Raises:
        InputError: If the folder has the results of another protocol, or a method exceeds the budget.
    """
    protocol = load_protocol(protocol_path)
    copy = folder / FILE
    if copy.exists() and load_protocol(copy) != protocol:
        raise InputError(f"{copy} is another protocol than {protocol_path}; choose another folder")
    with get_context("spawn").Pool(1) as pool:  # in another process, as the check loads torch
        pool.apply(protocol.check)
    write_text(copy, protocol_path.read_text(encoding="utf-8"))
    return protocol


def run_cells(
    protocol: Protocol, folder: Path, cells: Sequence[Cell], beside: int = 1, minutes: float | None = None
) -> None:
    """Runs the cells that aren't finished.

    Args:
        protocol: The protocol.
        folder: Folder of the results.
        cells: The cells to run.
        beside: Number of cells that run at a time.
        minutes: Time after which no further cell is begun; None for no limit.
    """
    begin = time.monotonic()
    left = [cell for cell in cells if not finished(folder / str(cell))]
    known = threading.Lock()

    def run(cell: Cell) -> None:
        if minutes is None or time.monotonic() - begin <= 60 * minutes:
            failure = run_cell(protocol, folder / str(cell), cell, alone=beside == 1)
            with known:
                note(folder, cell, failure)

    with ThreadPoolExecutor(beside) as pool:
        list(pool.map(run, left))


def finished(run: Path) -> bool:
    """Returns whether a cell's run has its metrics, and all unneeded files have been removed."""
    left = [name for name in ("training", REPORT) if (run / name).exists()]
    return (run / "metrics.json").exists() and not left


def run_cell(protocol: Protocol, run: Path, cell: Cell, alone: bool = True) -> str | None:
    """Runs or resumes a cell in a separate process.

    Args:
        protocol: The protocol.
        run: Folder of the cell.
        cell: The cell.
        alone: Whether the cell uses all cores, instead of one.

    Returns:
        The reason of a failure; None if the cell succeeded.
    """
    if (run / REPORT).exists():
        clear(run)
        return None
    if (run / "config.yaml").exists():
        what = [f"resume={run}"]
    else:
        what = [*protocol.overrides_of(cell), f"output={run}", *([] if alone else ONE_CORE)]
    print(f"{cell}: simdistill run {' '.join(what)}", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "simdistill", "run", *what],
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        # threads=1 limits torch's threads; OMP_NUM_THREADS limits those of NumPy's linear algebra.
        env=os.environ if alone else os.environ | {"OMP_NUM_THREADS": "1"},
    )
    if done.returncode in INTERRUPTED:
        return None
    if done.returncode:
        return done.stderr[-SAID:] or f"exit code {done.returncode}"
    clear(run)
    return None


def clear(run: Path) -> None:
    """Removes files that the board doesn't need, the report last, so that a stopped removal is resumed."""
    for path in sorted(run.iterdir(), key=lambda path: path.name == REPORT):
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in KEPT:
            path.unlink()


def note(folder: Path, cell: Cell, failure: str | None) -> None:
    """Adds a cell to the list of failed cells, or removes it if it didn't fail."""
    path = folder / FAILED
    failed = read_json(path) if path.exists() else {}
    failed.pop(str(cell), None)
    if failure:
        failed[str(cell)] = failure
        print(f"{cell} failed: {failure}", file=sys.stderr, flush=True)
    if failed:
        write_json(path, failed)
    else:
        path.unlink(missing_ok=True)


def main() -> None:
    """Runs the chosen cells, then writes the leaderboard's page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("protocol", type=Path, metavar="PROTOCOL")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--cells", nargs="+", default=["*"], help="names of cells, * for any characters")
    parser.add_argument("--until", type=float, metavar="MINUTES", help="begin no cell after this time")
    parser.add_argument(
        "--beside", type=int, default=1, metavar="N", help="number of cells at a time, one core each"
    )
    arguments = parser.parse_args()
    try:
        if arguments.beside < 1:
            raise InputError(f"--beside {arguments.beside}: must be at least 1")
        protocol = prepare(arguments.protocol, arguments.folder)
        chosen = [cell for cell in protocol.cells if any(fnmatch(str(cell), p) for p in arguments.cells)]
        if not chosen:
            raise InputError(f"--cells {' '.join(arguments.cells)}: no such cell in {protocol.version}")
        run_cells(protocol, arguments.folder, chosen, arguments.beside, arguments.until)
        found = board(protocol, *read_results(arguments.folder, protocol))
    except InputError as error:
        print(f"leaderboard: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("leaderboard: stopped; repeat the command to resume", file=sys.stderr)
        sys.exit(130)
    show(found, Console(width=150))
    print(f"leaderboard: {write_page(found, arguments.folder)}")


if __name__ == "__main__":
    main()
