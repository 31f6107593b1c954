"""Questions, tokens and seconds that methods need to match the heuristic, and to halve its regret.

    python benchmarks/learning.py benchmarks/results/cpu-v1

The training runs are those of a leaderboard's results, so all methods share questions, student and budget.

Quality is the mean regret on validation questions: the extra cost of the student's choices over the best
choices, by the simulator's values. The reference always takes the best choice, so half of the heuristic's gap
to the reference is closed when the regret is half of the heuristic's. The first point of a learning curve
with such a regret counts. As students may get worse again, the share of training runs that are this good at
the end is given as well. Seconds include distillation and the student's own rollouts, but not the teacher's
search, which all methods share.

For each seed, the resources that a method needs are compared with those of `simdistill`. Runs that never
reach the regret are censored at their full budget, and the row says so.

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
"""Goals: each is a share of the heuristic's regret."""
TARGETS = {("seconds", "grpo"): 10.0, ("seconds", "sft_grpo"): 10.0, ("questions", "sft"): 3.0}
"""Unit and method -> target for the method's need, as a multiple of simdistill's."""

Need = tuple[LearningPoint, bool]
"""The first good point of a learning curve, or the last point; and whether it is good enough."""


def curves(results: Sequence[Result], task: str) -> dict[str, dict[int, Learning]]:
    """Returns a task's learning curves by method and seed."""
    found: dict[str, dict[int, Learning]] = {}
    for result in results:
        if result.cell.task == task:
            curve = result.run.learning
            found.setdefault(result.cell.method, {})[result.cell.seed] = curve
    return found


def measured(folder: Path, tasks: Sequence[str] | None) -> dict[str, dict[str, dict[int, Learning]]]:
    """Returns the learning curves of each task with results of simdistill; prints refused results.

    Args:
        folder: Folder of a leaderboard's results.
        tasks: Names of the tasks; None for all.

    Raises:
        InputError: If no task has such results, or the folder isn't a leaderboard's.
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
    """Returns the rows of a task: simdistill's need, and every other method's as a multiple of it.

    Args:
        task: Name of the task.
        found: Learning curves by method and seed, simdistill's among them.
        command: Command line that reproduces the rows.
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
    """Yields simdistill's need in a unit, and each other method's as a multiple, over their common seeds."""
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
    """Returns a remark on the number of runs that are censored at their full budget; empty if none is."""
    missed = sum(not there for _, there in own.values())
    return f" ({missed} of {len(own)} of {method} never got there)" if missed else ""


def main() -> None:
    """Reads the results, prints the table and writes it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="results of a leaderboard")
    parser.add_argument("--tasks", nargs="+", help="names of tasks; all by default")
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
