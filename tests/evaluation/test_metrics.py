"""One more measure is one file: a registered class stands in the metrics, in the report and on boards."""

import shutil

from rich.console import Console

import simdistill
from simdistill.evaluation.metrics import Metric
from simdistill.leaderboard import Cell, Result
from simdistill.leaderboard.board import by_setting
from simdistill.results import Results
from simdistill.runs import pipeline
from simdistill.statistics import Estimate


class Replications(Metric):
    title = "replications"
    description = "simulated replications of the student"

    def in_setting(self, examination, setting):
        count = [len(c.policies["student"].replications) for c in examination.cases if c.setting == setting]
        return Estimate(float(sum(count)))


def test_a_registered_measure_stands_in_metrics_report_and_board(finished, tmp_path, own_registry):
    simdistill.register("replications", f"{__name__}:Replications", kind="metrics")
    folder = shutil.copytree(finished, tmp_path / "run")
    pipeline.evaluate(folder, Console(quiet=True))
    results = Results.read(folder / "metrics.json")
    assert results.tasks[0].measure("replications", "default") == Estimate(2.0)
    assert Replications.description in (folder / "report.html").read_text()
    assert by_setting([Result(Cell("queueing", "simdistill", 0), results)])[-1] == "replications"
