"""How much of an expert's quality smaller students keep, and how fast they decide.

    python benchmarks/retention.py --folder outputs/retention
    python benchmarks/retention.py seed=1 --method kd --layers 15 10 --results outputs/kd.json

The expert is the whole student, trained as usual and merged; smaller ones learn from it with `--method`: `kd`
and `opd` its probabilities, `hidden` its hidden states beside the simulator's soft targets. Every run has a
folder of its own; finished ones aren't done again, stopped ones go on. What is kept is the share of the
practitioner's excess cost that the student saves over the expert's share; it describes one student each, so
it has no interval. Speeds are those of each run's own examination: leave the machine alone. Writes
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
    """Returns a run's results; the run is made or finished first if need be."""
    if not (run / "report.html").exists():
        what = [f"resume={run}"] if (run / "config.yaml").exists() else [*overrides, f"output={run}"]
        subprocess.run([sys.executable, "-m", "simdistill", "run", *what], check=True)
    return Results.read(run / "metrics.json")


def exported(run: Path) -> Path:
    """Returns the folder of a run's merged model, made if it isn't there."""
    model = run / "export" / "model"
    return model if model.is_dir() else export(run)[0]


def rows(name: str, results: Results, expert: Results, command: str) -> list[dict]:
    """Returns the figures of one student."""
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
    """The student's gain over the expert's; None where either is undefined or the expert has none."""
    if closed is None or expert is None or expert.mean <= 0:
        return None
    return closed.mean / expert.mean


def main() -> None:
    """Runs, gathers, prints, writes after each student."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("overrides", nargs="*", help="further settings of every run, such as seed=1")
    parser.add_argument("--folder", type=Path, default=Path("outputs/retention"), help="where runs are kept")
    parser.add_argument("--method", default="hidden", help="how the smaller students learn")
    parser.add_argument("--layers", type=int, nargs="+", default=LAYERS, help="their layers")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the table is kept")
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
