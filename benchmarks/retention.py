"""Share of an expert's quality that smaller students keep, and the speed of their decisions.

    python benchmarks/retention.py --folder outputs/retention
    python benchmarks/retention.py seed=1 --method kd --layers 15 10 --results outputs/kd.json

The expert is the whole student, trained as usual and merged. Smaller students learn from the expert with
`--method`: with `kd` and `opd` from its probabilities, with `hidden` from its hidden states and the
simulator's soft targets. Every run has its own folder; finished runs aren't repeated, stopped runs are
resumed. A student and the expert each close a share of the heuristic's gap to the reference; the share kept
is the student's over the expert's. It is a figure of a single student, so it has no interval. Speeds are
measured during each run's examination, so nothing else should run on the machine. Writes
`benchmarks/results/retention.json` in the layout of `benchmarks/measures.py`.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from measures import row, show

from simdistill.results import Results
from simdistill.runs.export import export
from simdistill.statistics import Estimate

RESULTS = Path(__file__).parent / "results" / "retention.json"
LAYERS = (30, 20, 15, 10)
TAUGHT = {"kd": ["teacher=hf"], "opd": ["teacher=hf"]}
"""Methods for which the expert answers the questions."""
STUDENT = ["student.lora.layers=null", "student.lora.r=256", "student.lora.alpha=512"]


def finished(run: Path, overrides: list[str]) -> Results:
    """Returns a run's results; first starts or resumes the run if it isn't finished."""
    if not (run / "report.html").exists():
        what = [f"resume={run}"] if (run / "config.yaml").exists() else [*overrides, f"output={run}"]
        subprocess.run([sys.executable, "-m", "simdistill", "run", *what], check=True)
    return Results.read(run / "metrics.json")


def exported(run: Path) -> Path:
    """Returns the folder of a run's merged model; first exports the model if there is none."""
    model = run / "export" / "model"
    return model if model.is_dir() else export(run)[0]


def rows(name: str, results: Results, expert: Results, command: str) -> list[dict]:
    """Returns the figures of one student, with and without comparison to the expert.

    Args:
        name: Name of the student.
        results: Results of the student's run.
        expert: Results of the expert's run.
        command: Command line of the student's run.
    """
    (task,), (expert_task,) = results.tasks, expert.tasks
    found = [
        row(f"{name}: kept of the expert's gain, {setting.replace('_', ' ')}", (kept, None), command)
        for setting, closed in task.measures["heuristic_gap_closed"].items()
        if (kept := _share(closed, expert_task.measure("heuristic_gap_closed", setting))) is not None
    ]
    found += [
        row(f"{name}: above the reference, {setting.replace('_', ' ')}", (over.mean, over.ci95), command)
        for setting, over in task.measures["over_reference"].items()
        if over is not None
    ]
    plain = {
        "decisions a second": results.decisions_per_second,
        "decisions a second over the expert's": results.decisions_per_second / expert.decisions_per_second,
        "perplexity of plain English": results.perplexity["student"],
    }
    return found + [row(f"{name}: {measure}", (value, None), command) for measure, value in plain.items()]


def _share(closed: Estimate | None, expert: Estimate | None) -> float | None:
    """Returns the student's gain over the expert's; None if one is undefined, or the expert gains nothing."""
    if closed is None or expert is None or expert.mean <= 0:
        return None
    return closed.mean / expert.mean


def main() -> None:
    """Makes the runs; after each student, prints the table and writes it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("overrides", nargs="*", help="further fields of every run, such as seed=1")
    parser.add_argument("--folder", type=Path, default=Path("outputs/retention"), help="folder of the runs")
    parser.add_argument("--method", default="hidden", help="method of the smaller students")
    parser.add_argument(
        "--layers", type=int, nargs="+", default=LAYERS, help="numbers of layers of the smaller students"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="file that is written")
    arguments = parser.parse_args()
    common, folder = ["task=queueing", *arguments.overrides], arguments.folder
    expert = finished(folder / "expert", common)
    teacher = [*TAUGHT.get(arguments.method, []), f"teacher.model={exported(folder / 'expert')}"]
    gathered = rows("expert", expert, expert, f"simdistill run {' '.join(common)}")
    for layers in arguments.layers:
        what = [*common, *STUDENT, f"method={arguments.method}", f"student.layers={layers}", *teacher]
        results = finished(folder / f"{arguments.method}-{layers}", what)
        gathered += rows(f"{layers} layers", results, expert, f"simdistill run {' '.join(what)}")
        show(gathered, arguments.results)


if __name__ == "__main__":
    main()
