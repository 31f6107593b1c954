"""Questions, tokens and seconds until a student is as good as the heuristic, and twice as good.

    python benchmarks/learning.py    # hours on two cores; a stopped one goes on

Good is the mean regret on held-out questions: what the choices taken cost above the best ones by the
simulator's values. The reference takes the best ones, so half of the heuristic's gap to it is closed where
the regret is half of the heuristic's. The first point of the learning curve that is so good counts. Seconds
are those of distilling, own rollouts among them, without the teacher's, which all methods share.

Each method's need is compared with that of `simdistill` on the same questions, seed by seed. A training that
ended before counts with all that it used, and its row says that the ratio is at least so large.

Prints a table and writes `benchmarks/results/learning.json`: a list of `measure`, `value`, `ci95`, `target`,
`bound` and `command`. A cell is a training in a folder of its own below `--folder`. Further arguments are
fields of all runs, as for `simdistill run`.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import cells
import measures
import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from simdistill.config import compose
from simdistill.errors import InputError
from simdistill.learning import Curve, curve

RESULTS = Path(__file__).parent / "results" / "learning.json"
FOLDER = Path("outputs") / "learning"
TASKS = ("queueing", "inventory")
METHODS = ("simdistill", "sft", "grpo", "sft_grpo")
SEEDS = (0, 1, 2)
CURVE = "distill.tune_steps=5"
UNITS = ("questions", "tokens", "seconds")
BOUNDS = {"as good as the heuristic": 1.0, "half of the heuristic's gap closed": 0.5}
"""Shares of the heuristic's regret that are to be reached."""


def trained(task: str, method: str, seed: int, folder: Path, overrides: Sequence[str]) -> Curve:
    """Trains a cell, if that hasn't been done, and returns its curve."""
    common = [f"task={task}", CURVE, *overrides, f"seed={seed}"]
    own = folder / task / method / f"seed{seed}"
    config = compose([*common, f"method={method}", f"output='{own}'"])[0]
    lesson = compose([*common, f"output='{folder}/{task}/lessons/seed{seed}'"])[0]
    torch.set_num_threads(config.threads or torch.get_num_threads())
    why = cells.train(config, lesson)
    found = curve(config, own)
    if why and not found.points:
        raise InputError(f"{own}: {why}")
    if why:
        Console(stderr=True).print(f"{own}: {why}", markup=False)
    return found


def compared(task: str, curves: dict[str, list[Curve]]) -> list[dict]:
    """Returns the rows of a task: what the first method needs, and how many times that the others need.

    Args:
        task: Its name.
        curves: One curve a seed, of each method.
    """
    ours, rows = next(iter(curves)), []
    for bound, share in BOUNDS.items():
        found = {method: [curve.until(share) for curve in own] for method, own in curves.items()}
        for method, results in found.items():
            got_there = float(np.mean([there for _, there in results]))
            rows.append(_row(f"{task}, {bound}: share of seeds that got there, {method}", (got_there, None)))
        kept = [place for place, (_, there) in enumerate(found[ours]) if there]
        if not kept:
            continue  # nothing to compare with
        for unit in UNITS:
            needed = np.array([found[ours][place][0][unit] for place in kept])
            rows.append(_row(f"{task}, {bound}: {unit}, {ours}", measures.geometric(needed)))
            for method, results in list(found.items())[1:]:
                theirs = np.array([results[place][0][unit] for place in kept])
                missed = sum(not results[place][1] for place in kept)
                told = f" (at least: {missed} of {len(kept)} never got there)" if missed else ""
                measure = f"{task}, {bound}: {unit}, {method} over {ours}{told}"
                rows.append(_row(measure, measures.geometric(theirs / needed)))
    return rows


def _row(measure: str, found: measures.Found) -> dict:
    return measures.row(measure, found, "python benchmarks/learning.py")


def main() -> None:
    """Trains, prints, writes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("overrides", nargs="*", default=[], help="field=value")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the cells are")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the file that is written")
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    given = parser.parse_intermixed_args()
    found: dict[str, dict[str, list[Curve]]] = {task: {method: [] for method in METHODS} for task in TASKS}
    todo = [(seed, task, method) for seed in given.seeds for task in TASKS for method in METHODS]
    for seed, task, method in track(todo, "training", console=Console(stderr=True)):
        found[task][method].append(trained(task, method, seed, given.folder, given.overrides))
    measures.show([row for task in TASKS for row in compared(task, found[task])], given.results)


if __name__ == "__main__":
    main()
