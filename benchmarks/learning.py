"""Questions, tokens and seconds until a student is as good as the heuristic, and twice as good.

    python benchmarks/learning.py benchmarks/results/cpu-v1

The trainings are those of a leaderboard's results, so methods have the same questions, student and budget.

Good is the mean regret on validation questions: what the choices taken cost above the best ones by the
simulator's values. The reference takes the best ones, so half of the heuristic's gap to it is closed where
the regret is half of the heuristic's. The first point of the learning curve that is so good counts; how many
trainings are that good at their end stands beside it, as students fall back. Seconds are those of distilling,
own rollouts among them, without the teacher's, which all methods share.

Each method's need is compared with that of `simdistill`, seed by seed. Runs of either method that never get
there are censored at their full budget, and the row says so.

Prints a table and writes `benchmarks/results/learning.json`: a list of `measure`, `value`, `ci95` (none with
one seed), `target`, `bound` and `command`.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import measures
import numpy as np

from simdistill.errors import InputError
from simdistill.leaderboard import Result, load_protocol, read_results
from simdistill.leaderboard.protocol import FILE
from simdistill.results import Learning, LearningPoint

RESULTS = Path(__file__).parent / "results" / "learning.json"
OURS = "simdistill"
UNITS = ("questions", "tokens", "seconds")
BOUNDS = {"as good as the heuristic": 1.0, "half of the heuristic's gap closed": 0.5}
"""Shares of the heuristic's regret that are to be reached."""
TARGETS = {("seconds", "grpo"): 10.0, ("seconds", "sft_grpo"): 10.0, ("questions", "sft"): 3.0}
"""At least so many times of what ours needs."""

Need = tuple[LearningPoint, bool]
"""A point of a curve, and whether it was good enough there."""


def curves(results: Sequence[Result], task: str) -> dict[str, dict[int, Learning]]:
    """Returns a task's curves by method and seed."""
    found: dict[str, dict[int, Learning]] = {}
    for result in results:
        if result.cell.task == task:
            curve = result.run.learning
            found.setdefault(result.cell.method, {})[result.cell.seed] = curve
    return found


def measured(folder: Path, tasks: Sequence[str] | None) -> dict[str, dict[str, dict[int, Learning]]]:
    """Returns the curves of tasks that ours was run on, by task; tells which results are refused.

    Raises:
        InputError: If there is none, or the folder holds no board's results.
    """
    protocol = load_protocol(folder / FILE)
    results, refused = read_results(folder, protocol)
    for one in refused:
        print(f"refused {one.path}: {one.reason}", file=sys.stderr)
    found = {task: curves(results, task) for task in tasks or protocol.tasks}
    found = {task: own for task, own in found.items() if OURS in own}
    if not found:
        named = f" on {', '.join(tasks)}" if tasks else ""
        raise InputError(f"{folder} has no result of {OURS}{named} to compare with")
    return found


def compared(task: str, found: Mapping[str, Mapping[int, Learning]], command: str) -> list[dict]:
    """Returns the rows of a task: what ours needs, and how many times that each other method needs.

    Args:
        task: Its name.
        found: Learnings by method and seed, ours among them.
        command: What makes the rows.
    """
    rows = []
    for bound, share in BOUNDS.items():
        title = f"{task}, {bound}"
        needs = {
            method: {seed: curve.until(share) for seed, curve in own.items()} for method, own in found.items()
        }
        for method, own in needs.items():
            got = float(np.mean([there for _, there in own.values()]))
            at_end = float(np.mean([curve.ends_within(share) for curve in found[method].values()]))
            for value, words in ((got, "that got there"), (at_end, "there at the end")):
                measure = f"{title}: share of seeds {words}, {method}"
                rows.append(measures.row(measure, (value, None), command))
        rows += [row for unit in UNITS for row in _needed(title, unit, needs, command)]
    return rows


def _needed(title: str, unit: str, needs: Mapping[str, Mapping[int, Need]], command: str) -> Iterator[dict]:
    """Yields what ours needs of a unit, and how many times that the others need, over seeds of both."""
    ours = needs[OURS]
    if not any(there for _, there in ours.values()):
        return  # nothing to compare with
    needed = measures.geometric([getattr(point, unit) for point, _ in ours.values()])
    yield measures.row(f"{title}: {unit}, {OURS}{_missed(OURS, ours)}", needed, command)
    for method, own in needs.items():
        both = [seed for seed in ours if seed in own]
        if method == OURS or not both:
            continue
        times = [getattr(own[seed][0], unit) / getattr(ours[seed][0], unit) for seed in both]
        missed = "".join(_missed(name, {seed: needs[name][seed] for seed in both}) for name in (method, OURS))
        measure = f"{title}: {unit}, {method} over {OURS}{missed}"
        yield measures.row(measure, measures.geometric(times), command, TARGETS.get((unit, method)))


def _missed(method: str, own: Mapping[int, Need]) -> str:
    """Says how many runs are censored at their full budget."""
    missed = sum(not there for _, there in own.values())
    return f" ({missed} of {len(own)} of {method} never got there)" if missed else ""


def main() -> None:
    """Reads, prints, writes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="results of a leaderboard")
    parser.add_argument("--tasks", nargs="+", help="all of them by default")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the file that is written")
    given = parser.parse_args()
    command = f"python benchmarks/learning.py {given.folder}"
    try:
        found = measured(given.folder, given.tasks)
    except InputError as error:
        print(f"learning: {error}", file=sys.stderr)
        sys.exit(2)
    rows = [row for task, own in found.items() for row in compared(task, own, command)]
    measures.show(rows, given.results, measured=False)


if __name__ == "__main__":
    main()
