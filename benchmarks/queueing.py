"""Runs the queueing task with several training seeds, and gathers the figures that README shows.

    python benchmarks/queueing.py --seeds 0 1 2 --folder outputs/benchmark
    python benchmarks/queueing.py distill.forecasts=160 --folder outputs/forecasts --results forecasts.json

Further arguments set fields of all runs, as for `simdistill run`. Finished runs in the folder aren't
repeated. Writes `benchmarks/results/queueing.json`, or the file that `--results` names: a list of `measure`,
`value`, `ci95`, `target`, `bound` (`at_least` or `at_most`), `seed`, `command`, `machine` and `by`.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from measures import Bound, place, row
from rich.console import Console
from rich.table import Table

from simdistill.files import read_json, write_json
from simdistill.results import Results
from simdistill.statistics import Estimate

RESULTS = Path(__file__).parent / "results" / "queueing.json"

TARGETS = [
    ("student over the optimum, default", "student", "default", 0.015),
    ("teacher over the optimum, default", "teacher", "default", 0.007),
    ("student over the optimum, in distribution", "student", "in_distribution", 0.02),
    ("student over the optimum, out of distribution", "student", "out_of_distribution", 0.05),
]


def finished(seed: int, folder: Path, overrides: Sequence[str]) -> tuple[Path, Results]:
    """Returns a run's folder and results; first starts or resumes the run if it isn't finished."""
    run = folder / f"seed{seed}"
    if not (run / "report.html").exists():
        what = (
            [f"resume={run}"]
            if (run / "config.yaml").exists()
            else ["task=queueing", f"seed={seed}", *overrides, f"output={run}"]
        )
        subprocess.run([sys.executable, "-m", "simdistill", "run", *what], check=True)
    return run, Results.read(run / "metrics.json")


def rows(seed: int, overrides: Sequence[str], run: Path, results: Results) -> list[dict]:
    """Returns the figures of one seed with their targets, the command, the machine and the versions."""
    command = " ".join(["simdistill run task=queueing", f"seed={seed}", *overrides])
    own = {"seed": seed} | place(read_json(run / "environment.json"))

    def figure(
        measure: str, value: Estimate | float | None, target: float | None = None, bound: Bound = "at_most"
    ) -> dict:
        found = (value.mean, value.ci95) if isinstance(value, Estimate) else (value, None)
        return row(measure, found, command, target, bound) | own

    (task,) = results.tasks
    over = {name: policy.over_reference for name, policy in task.policies.items()}
    return [
        *(figure(measure, over[policy][setting], target) for measure, policy, setting, target in TARGETS),
        *(
            figure(f"heuristic's gap closed, {setting.replace('_', ' ')}", closed, 0.0, "at_least")
            for setting, closed in task.measures["heuristic_gap_closed"].items()
        ),
        *(
            figure(f"heuristic over the optimum, {setting.replace('_', ' ')}", of_setting)
            for setting, of_setting in over[task.heuristic].items()
        ),
        figure("forecast skill", task.measure("forecast_skill", "in_distribution"), 0.0, "at_least"),
        figure("valid answers", task.valid_answers, 0.999, "at_least"),
        figure("minutes", sum(results.seconds.values()) / 60, 10),
        figure("peak memory, GB", results.peak_memory_mb / 1000, 4),
        figure("decisions a second", results.decisions_per_second),
        figure("questions", results.questions),
    ]


def main() -> None:
    """Makes the runs, gathers their figures, prints the table and writes it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("overrides", nargs="*", help="field=value, for every run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="training seeds")
    parser.add_argument("--folder", type=Path, default=Path("outputs/benchmark"), help="folder of the runs")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the file that is written")
    arguments = parser.parse_intermixed_args()
    console = Console()
    gathered = []
    for seed in arguments.seeds:
        made = finished(seed, arguments.folder, arguments.overrides)
        gathered += rows(seed, arguments.overrides, *made)
        write_json(arguments.results, gathered)
    table = Table("measure", *(f"seed {seed}" for seed in arguments.seeds), "target")
    for measure in dict.fromkeys(entry["measure"] for entry in gathered):
        of_measure = [entry for entry in gathered if entry["measure"] == measure]
        cells = ["—" if entry["value"] is None else f"{entry['value']:.4g}" for entry in of_measure]
        target = of_measure[0]["target"]
        bound = "" if target is None else f"{of_measure[0]['bound'].replace('_', ' ')} {target:g}"
        table.add_row(measure, *cells, bound)
    console.print(table)


if __name__ == "__main__":
    main()
