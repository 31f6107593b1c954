"""Runs the cells of a leaderboard's protocol, and writes its page.

    python benchmarks/leaderboard.py benchmarks/protocols/cpu-v1.yaml benchmarks/results/cpu-v1
    python benchmarks/leaderboard.py PROTOCOL FOLDER --cells 'queueing-*' --until 60
    python benchmarks/leaderboard.py PROTOCOL FOLDER --beside 2

Each cell is a run of its own in FOLDER/<task>-<method>-<seed>, in the protocol's order. Finished cells aren't
done again, one that was stopped goes on, one that fails is noted in FOLDER/failed.json and tried again next
time. Of a finished run only what the board needs is kept. With --beside N, N cells run at a time on one core
each: more cells in an hour, and each of them takes longer.
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
"""The last file of a run."""
ONE_CORE = ("workers=1", "threads=1")
INTERRUPTED = (130, -signal.SIGINT)
"""Exit codes of a run that was stopped by Ctrl-C, which is no failure."""
SAID = 2000
"""Characters of a failed run's last words that are noted."""


def prepare(protocol_path: Path, folder: Path) -> Protocol:
    """Copies a protocol into the folder of its results.

    Raises:
        InputError: If the folder holds another protocol, or a method doesn't keep to the budget.
    """
    protocol = load_protocol(protocol_path)
    copy = folder / FILE
    if copy.exists() and load_protocol(copy) != protocol:
        raise InputError(f"{copy} is another protocol than {protocol_path}; take another folder")
    with get_context("spawn").Pool(1) as pool:  # methods load torch, which isn't needed here beside the runs
        pool.apply(protocol.check)
    write_text(copy, protocol_path.read_text(encoding="utf-8"))
    return protocol


def run_cells(
    protocol: Protocol, folder: Path, cells: Sequence[Cell], beside: int = 1, minutes: float | None = None
) -> None:
    """Runs cells that aren't finished, several beside each other; none is begun after so many minutes."""
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
    """Whether a cell's run has its metrics and has been cleared of all else."""
    left = [name for name in ("training", REPORT) if (run / name).exists()]
    return (run / "metrics.json").exists() and not left


def run_cell(protocol: Protocol, run: Path, cell: Cell, alone: bool = True) -> str | None:
    """Runs a cell in a process of its own, or goes on with it; returns what it failed of.

    Args:
        protocol: The protocol.
        run: The cell's folder.
        cell: The cell.
        alone: Whether it has all cores, or one.
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
        # threads=1 is torch's; NumPy's linear algebra has threads of its own.
        env=os.environ if alone else os.environ | {"OMP_NUM_THREADS": "1"},
    )
    if done.returncode in INTERRUPTED:
        return None
    if done.returncode:
        return done.stderr[-SAID:] or f"exit code {done.returncode}"
    clear(run)
    return None


def clear(run: Path) -> None:
    """Removes what the board doesn't need; the report last, so that a clearing that was stopped goes on."""
    for path in sorted(run.iterdir(), key=lambda path: path.name == REPORT):
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in KEPT:
            path.unlink()


def note(folder: Path, cell: Cell, failure: str | None) -> None:
    """Keeps the list of failed cells up to date."""
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
    """Runs, then renders."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("protocol", type=Path, metavar="PROTOCOL")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--cells", nargs="+", default=["*"], help="names of cells, * for any characters")
    parser.add_argument("--until", type=float, metavar="MINUTES", help="begin no cell after so long")
    parser.add_argument("--beside", type=int, default=1, metavar="N", help="cells at a time, a core each")
    arguments = parser.parse_args()
    try:
        if arguments.beside < 1:
            raise InputError(f"--beside {arguments.beside}: at least one cell runs at a time")
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
        print("leaderboard: stopped; the same command goes on", file=sys.stderr)
        sys.exit(130)
    show(found, Console(width=150))
    print(f"leaderboard: {write_page(found, arguments.folder)}")


if __name__ == "__main__":
    main()
