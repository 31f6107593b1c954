"""Five models as professionals write them, bare and adapted: what adapting costs, and what comes of it.

    python benchmarks/strangers/measure.py                      # forty minutes on two cores
    python benchmarks/strangers/measure.py urgent_care harbour  # these two; the others' rows are kept
    python benchmarks/strangers/measure.py --without-runs       # no student is trained

The models are in `models/`, in plain SimPy and numpy, and were written before they were adapted; `adapted/`
has the same files with their changes, and a task each. Prints a table and writes `strangers.json`: a list of
`measure`, `value`, `ci95`, `target`, `bound` (`at_least` or `at_most`) and `command`.

Times of decisions and of what-ifs are those of the processor, as they depend less on what else the machine
does; the time of `check` is the clock's.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from timing import FOLDER, folder_of

RESULTS = FOLDER / "strangers.json"
COMMAND = "python benchmarks/strangers/measure.py"
sys.path.insert(0, str(FOLDER.parent))

from measures import Bound, Found, geometric, row, show  # noqa: E402 (a file of the folder above)

ROUNDS, EPISODES = 8, 40
MARGIN = "0.1"


@dataclass(frozen=True)
class Stranger:
    """How one of the models is measured.

    A model without a folder in `models/` and `adapted/` is a file beside this one; see `public.py`.

    Attributes:
        name: Its folder, its task, and the module with `figures` of the bare one.
        decision: The decision whose what-if is timed; about half of the episode has passed then.
        replications: How many replications of each are compared.
        absolute: Figure -> margin in its own unit, where the figure is of something rare.
        horizon: Simulated time that the what-if's futures last at first.
    """

    name: str
    decision: int
    replications: int
    absolute: tuple[str, ...] = ()
    horizon: int = 60


STRANGERS = (
    Stranger("urgent_care", 45, 1000, ("left_unseen=0.7",)),
    Stranger("pathway", 20, 1000, ("diverted=1.5", "mean_wait_rehab=0.25", "cost_per_day=0.2")),
    Stranger("line", 38, 1000, ("mean_wait_for_crew=0.08", "mean_buffer_2=0.08", "breakdowns=0.25")),
    Stranger("network", 56, 400, ("lost_sales_per_week=6", "short_share=0.008", "preempted_per_week=0.015")),
    Stranger("harbour", 55, 800),
)


def call(*arguments: str, folder: Path = FOLDER) -> subprocess.CompletedProcess[str]:
    """Runs Python in a folder, with one thread for sums."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )


def verb(stranger: Stranger, *arguments: str) -> tuple[bool, float, str]:
    """Calls a verb of simdistill; returns whether it succeeded, its seconds, and what it said."""
    begin = time.perf_counter()
    done = call("-m", "simdistill", *arguments, folder=folder_of("adapted", stranger.name))
    return done.returncode == 0, time.perf_counter() - begin, done.stdout + done.stderr


def processor_seconds() -> float:
    """Returns what the programs that were called have used so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(kind: str, stranger: Stranger, *numbers: int) -> dict[str, float]:
    done = call("timing.py", kind, stranger.name, *map(str, numbers))
    if done.returncode:
        raise SystemExit(f"{kind} {stranger.name}:\n{done.stderr}")
    return json.loads(done.stdout)


def changed_lines(stranger: Stranger) -> int:
    """Returns how many lines of Python were added or rewritten."""
    folders = (f"models/{stranger.name}", f"adapted/{stranger.name}")
    command = ["git", "diff", "--no-index", "--numstat", "--", *folders]
    lines = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True).stdout.splitlines()
    return sum(int(line.split()[0]) for line in lines if line.rstrip("}").endswith(".py"))


def decision_time(stranger: Stranger) -> Found:
    """Returns the time of adapted episodes over that of bare ones, measured in turns, on ever new seeds."""
    ratios = []
    for first in range(0, ROUNDS * EPISODES, EPISODES):
        adapted, bare = (timed(kind, stranger, EPISODES, first)["seconds"] for kind in ("adapted", "bare"))
        ratios.append(adapted / bare)
    return geometric(ratios)


def validated(stranger: Stranger) -> tuple[bool, str]:
    """Sets the adapted model against replications of the bare one."""
    with tempfile.TemporaryDirectory() as folder:
        original = Path(folder) / "original.csv"
        original.write_text(call("timing.py", "figures", stranger.name, str(stranger.replications)).stdout)
        absolute = [text for margin in stranger.absolute for text in ("--absolute", margin)]
        count = ("--replications", str(stranger.replications), "--workers", "1")
        found = verb(
            stranger,
            "validate",
            stranger.name,
            "--against",
            str(original),
            *count,
            "--margin",
            MARGIN,
            *absolute,
        )
    return found[0], found[2]


def trained(stranger: Stranger) -> tuple[bool, float, str]:
    """Runs the task; returns whether there is a report, the minutes, and what was said."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "run"
        succeeded, seconds, said = verb(stranger, "run", f"task={stranger.name}", f"output={output}")
        return succeeded and (output / "report.html").is_file(), seconds / 60, said


def measured(stranger: Stranger, lines: dict, with_run: bool, command: str) -> list[dict]:
    """Returns the rows of one model.

    Args:
        stranger: The model.
        lines: The row that tells how many lines adapting it took.
        with_run: Whether a student is trained.
        command: What makes these rows.
    """

    def of(measure: str, found: Found, target: float | None = None, bound: Bound = "at_most") -> dict:
        return row(f"{stranger.name}: {measure}", found, command, target, bound)

    before = processor_seconds()
    sound, seconds, said = verb(stranger, "check", stranger.name)
    spent, whole = processor_seconds() - before, "not finished within" not in said
    print(said)
    what_if = timed("what_if", stranger, stranger.decision, stranger.horizon)
    equivalent, table = validated(stranger)
    print(table)
    rows = [
        lines,
        of("decision time over the bare model's", decision_time(stranger), 1.5),
        of("check, seconds", (seconds, None), 60),
        of("check, processor seconds", (spent, None)),
        of("check makes all checks and finds nothing wrong", (float(sound and whole), None), 1, "at_least"),
        of("what-if of one state, processor seconds", (what_if["seconds"], None), 5),
        of("what-if of one state, wall seconds", (what_if["wall"], None)),
        of(f"validated, margin {MARGIN}", (float(equivalent), None), 1, "at_least"),
    ]
    if with_run:
        reported, minutes, said = trained(stranger)
        print(said)
        rows += [
            of("run comes to a report", (float(reported), None), 1, "at_least"),
            of("run, minutes", (minutes, None)),
        ]
    return rows


def main() -> None:
    """Measures the models, prints the table and writes the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [stranger.name for stranger in STRANGERS]
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"some of {', '.join(names)}; all if left out"
    )
    parser.add_argument("--without-runs", action="store_true", help="no student is trained")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(names):
        parser.error(f"there is no model {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    for stranger in STRANGERS:
        if not arguments.names or stranger.name in arguments.names:
            command, changed = f"{COMMAND} {stranger.name}", float(changed_lines(stranger))
            lines = row(f"{stranger.name}: changed lines", (changed, None), command, 15, "at_most")
            rows = measured(stranger, lines, not arguments.without_runs, command)
            show(rows, None)
            keep(rows, RESULTS)


def keep(rows: list[dict], results: Path) -> None:
    """Replaces the rows of these measures in a file of results."""
    kept = json.loads(results.read_text()) if results.is_file() else []
    known = {entry["measure"]: entry for entry in kept} | {entry["measure"]: entry for entry in rows}
    results.write_text(json.dumps(list(known.values()), indent=2) + "\n")


if __name__ == "__main__":
    main()
