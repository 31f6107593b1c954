"""Published models of others, adapted from outside: where one is taken from, and what is measured.

`benchmarks/strangers/NAME.py PATH` adapts one model; PATH is a clone of its repository, or the git directory
of one. The adapter imports the model and contains none of its code. These are the figures of each:

- the adapter's lines: all but comments, docstrings, the original's `figures`, and the call of `main`;
- the time of an episode over the bare model's, and whatever else `measure.py` tells of a model.

`--run` trains a student as well, with a budget of some minutes. The results are in `public.json`.
"""

import argparse
import ast
import atexit
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

from measure import FOLDER, Stranger, keep, measured
from measures import row, show

RESULTS = FOLDER / "public.json"
FETCHED = "SIMDISTILL_STRANGER"
"""Environment variable with the folder of the model's files, for the processes that are started."""


def fetched(commit: str, *folders: str, python_312: bool = False) -> str:
    """Returns a folder with a model's files as they were at a commit.

    The clone is the first argument of the program; the processes that it starts find the same folder.

    Args:
        commit: Commit of the model's repository.
        folders: What is needed of it.
        python_312: Whether the model nests quotes in f-strings, which Python 3.11 doesn't read.

    Raises:
        SystemExit: If no clone is named, or it hasn't got the commit.
    """
    if FETCHED not in os.environ:
        if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
            raise SystemExit(f"{sys.argv[0]}: name the folder of the model's clone")
        command = ["git", "-C", sys.argv[1], "archive", "--format=tar", commit, *folders]
        archive = subprocess.run(command, capture_output=True)
        if archive.returncode:
            raise SystemExit(f"{sys.argv[1]} has no {commit}: {archive.stderr.decode().strip()}")
        folder = tempfile.mkdtemp(prefix="stranger-")
        atexit.register(shutil.rmtree, folder)
        with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
            files.extractall(folder, filter="data")
        if python_312:
            unnest(Path(folder))
        os.environ[FETCHED] = folder
    return os.environ[FETCHED]


def unnest(folder: Path) -> None:
    """Changes the quotes of times that are formatted inside of f-strings."""
    for file in folder.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        file.write_text(
            text.replace('strftime("%Y-%m-%d_%H-%M-%S")', "strftime('%Y-%m-%d_%H-%M-%S')"), "utf-8"
        )


def lines_of(adapter: Path) -> int:
    """Returns the number of an adapter's lines that somebody has to write."""
    text = adapter.read_text(encoding="utf-8")
    rest = ast.parse(text)
    rest.body = [part for part in rest.body if not _is_measuring(part)]
    spoken = {id(part) for part in ast.walk(rest) if isinstance(part, ast.Expr) and _is_text(part.value)}
    written: set[int] = set()
    for part in ast.walk(rest):
        if isinstance(part, ast.stmt) and id(part) not in spoken:
            body = getattr(part, "body", None)
            last = body[0].lineno - 1 if body and body[0].lineno > part.lineno else part.end_lineno
            written |= set(range(part.lineno, (last or part.lineno) + 1))
        written |= {decorator.lineno for decorator in getattr(part, "decorator_list", ())}
    source = text.splitlines()
    return sum(bool(source[line - 1].split("#")[0].strip()) for line in written)


def _is_measuring(part: ast.stmt) -> bool:
    return (isinstance(part, ast.FunctionDef) and part.name == "figures") or isinstance(part, ast.If)


def _is_text(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def main(file: str, decision: int, replications: int, horizon: int = 60) -> None:
    """Measures an adapted model, prints the table and writes the results.

    Args:
        file: The adapter.
        decision: The decision whose what-if is timed; about half of the episode has passed then.
        replications: How many replications of the original and of the model are compared.
        horizon: Simulated time that the what-if's futures last at first.
    """
    adapter = Path(file)
    parser = argparse.ArgumentParser(description=f"Measures {adapter.stem}.")
    parser.add_argument("path", help="clone of the model's repository")
    parser.add_argument("--run", action="store_true", help="a student is trained as well")
    arguments = parser.parse_args()
    stranger = Stranger(adapter.stem, decision, replications, horizon=horizon)
    command = f"python benchmarks/strangers/{adapter.name} PATH"
    lines = row(f"{stranger.name}: lines of the adapter", (float(lines_of(adapter)), None), command)
    rows = measured(stranger, lines, arguments.run, command)
    show(rows, None)
    keep(rows, RESULTS)
