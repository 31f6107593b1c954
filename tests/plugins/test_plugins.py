"""A stranger's package with a plug-in of each kind: installed, listed, and used together in one run."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet
import pytest

from simdistill.config import read_yaml
from simdistill.files import read_json

HERE = Path(__file__).parent
CHOSEN = ["task=ferry", "teacher=captain", "method=drill", "student=tiny-llama", "compute=threads"]
OWN_FIELDS = ["teacher.alpha=2.0", "method.alpha=2.0", "compute.prefix=deck"]
PLUG_INS = (
    "ferry",
    "captain",
    "drill",
    "counting",
    "captain_over_four",
    "tiny-llama",
    "crossings",
    "threads",
)


pytestmark = pytest.mark.slow


class Installed:
    """An installation of the package that this process doesn't see."""

    def __init__(self, folder: Path):
        self.site, self.work, self.cache = folder / "site", folder / "work", folder / "cache"
        source = folder / "source"
        shutil.copytree(HERE / "ferries", source, ignore=shutil.ignore_patterns("__pycache__", "build"))
        self.work.mkdir()
        shutil.copy(source / "ferry.yaml", self.work)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
        done = subprocess.run(
            [*pip, "--no-build-isolation", "--target", str(self.site), str(source)],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def call(self, *arguments: str) -> subprocess.CompletedProcess:
        """Calls `simdistill` where the package is installed."""
        environment = os.environ | {
            "PYTHONPATH": str(self.site),
            "SIMDISTILL_CACHE": str(self.cache),
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "200",
        }
        command = [sys.executable, "-m", "simdistill", *arguments]
        return subprocess.run(command, cwd=self.work, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Installed:
    return Installed(tmp_path_factory.mktemp("plugins"))


@pytest.fixture(scope="module")
def run(installed, real_base) -> Path:
    """The folder of a run in which everything that can be chosen is the stranger's."""
    installed.cache.mkdir()
    (installed.cache / real_base.name).symlink_to(real_base.folder)
    done = installed.call("run", *CHOSEN, *OWN_FIELDS, "output=run", "workers=2", "threads=1")
    assert done.returncode == 0, done.stderr[-3000:]
    return installed.work / "run"


def rows_of(run: Path) -> list[dict]:
    return pyarrow.parquet.read_table(run / "questions.parquet").to_pylist()


def test_all_are_listed_with_what_they_say_of_themselves(installed):
    shown = installed.call("list")
    assert shown.returncode == 0 and "can't be loaded" not in shown.stdout
    for name in PLUG_INS:
        assert re.search(rf"^  {name} +\S.{{10,}}$", shown.stdout, flags=re.MULTILINE), name


def test_the_simulator_passes_every_check(installed):
    checked = installed.call("check", "ferry")
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("field", ["method.alpha", "teacher.alpha", "compute.prefix"])
def test_a_misspelled_field_of_a_plug_in_is_explained(installed, field):
    section, name = field.split(".")
    wrong = f"{section}.{name[:-2]}{name[-1]}{name[-2]}"
    done = installed.call("run", *CHOSEN, f"{wrong}=1")
    assert done.returncode == 2 and f"did you mean '{field}'" in done.stderr, done.stderr


def test_the_teacher_taught_by_its_own_policy(run):
    rows = [row for row in rows_of(run) if row["kind"] == "decision"]
    assert len(rows) == 32 and {row["simulator"] for row in rows} == {"ferry"}
    for row in rows:
        state = json.loads(row["state"])
        worth = state["waiting"] * state["crossing"] >= 2.0 * state["fuel"]
        assert row["answer"] == ("go" if worth else "wait")
    assert {row["answer"] for row in rows} == {"go", "wait"}


def test_the_kind_of_question_was_asked(run):
    counting = [row for row in rows_of(run) if row["kind"] == "counting"]
    assert len(counting) == 6
    assert all((row["counted"] > 3) == (row["answer"] == "more than three") for row in counting)


def test_method_and_student_are_those_of_the_adapter(run):
    card = (run / "adapter" / "README.md").read_text()
    assert "(method drill, seed 0)" in card and "tiny-llama" in card
    assert read_json(run / "adapter" / "base.json")["name"] == "tiny-llama"


def test_the_metric_is_among_the_results_and_on_the_page(run):
    (task,) = read_json(run / "metrics.json")["tasks"]
    measure = task["measures"]["captain_over_four"]
    assert set(measure) == {"default", "in_distribution", "out_of_distribution"}
    assert isinstance(measure["default"]["mean"], float)
    assert "captain over four" in (run / "report.html").read_text()


def test_the_figure_is_on_the_page(run):
    assert "A crossing burns 6" in (run / "report.html").read_text()


def test_the_executor_ran_the_simulations(run):
    assert read_json(run / "environment.json")["compute"] == {"executor": "threads", "workers": 2}


def test_the_configuration_says_what_was_chosen(run):
    config = read_yaml(run / "config.yaml")
    assert config["teacher"]["name"] == "captain" and config["teacher"]["alpha"] == 2.0
    assert config["method"] == {"name": "drill", "alpha": 2.0}
    assert config["compute"] == {"name": "threads", "prefix": "deck"}


def test_the_run_can_be_examined_reported_and_resumed(installed, run):
    for arguments in (["run", "resume=run"], ["evaluate", "run"], ["report", "run"]):
        done = installed.call(*arguments)
        assert done.returncode == 0, done.stderr[-2000:]


def test_a_teacher_that_must_be_taught_first_is_not_played_against(installed):
    done = installed.call("play", "task=ferry", "teacher=captain")
    assert done.returncode == 2 and "captain is neither" in done.stderr, done.stderr
