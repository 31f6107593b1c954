"""`simdistill new`: what it writes works, and it never writes over anything."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from simdistill.cli import app
from simdistill.errors import InputError
from simdistill.scaffold import PACKAGE, PLAIN, new

SCRIPTS = Path(sys.executable).parent
ROOT = Path(__file__).parents[2]

SMALL = [
    "teacher.generations=1",
    "teacher.scenarios=4",
    "teacher.futures=4",
    "teacher.compared_sets=2",
    "task.horizon=40",
    "task.warm_up=5",
    "distill.questions=8",
    "distill.validation_questions=4",
    "distill.batch_size=4",
    "student.lora.r=2",
    "student.lora.layers=2",
    "student.dtype=float32",
    "evaluation.parameter_sets=1",
    "evaluation.replications=2",
    "evaluation.questions_shown=1",
    "threads=1",
]


def call(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess:
    """Runs a script of this environment in a folder, as a user would."""
    env = os.environ | {"OMP_NUM_THREADS": "1"} | environment
    return subprocess.run(
        [SCRIPTS / command[0], *command[1:]], cwd=folder, env=env, capture_output=True, text=True
    )


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_it_writes_a_simulator_its_task_and_its_test(tmp_path):
    result = call(tmp_path, "simdistill", "new", "clinic")
    assert result.returncode == 0, result.stderr
    assert files(tmp_path) == {"clinic.py", "tasks/clinic.yaml", "test_clinic.py"}
    assert "wrote clinic.py\n" in result.stdout and "pytest test_clinic.py" in result.stdout


@pytest.mark.parametrize("package", [False, True])
def test_what_it_wrote_passes_its_own_test(tmp_path, package):
    written = new("field_hospital", tmp_path, package)
    assert [path.relative_to(tmp_path) for path in written] == [
        Path(path.replace("$name", "field_hospital")) for path in (PACKAGE if package else PLAIN)
    ]
    result = call(tmp_path, "pytest", "-q", "-p", "no:cacheprovider", "-W", "error")
    assert result.returncode == 0, result.stdout
    assert "20 passed" in result.stdout


@pytest.mark.parametrize("package", [False, True])
def test_it_is_written_in_order(tmp_path, package):
    new("clinic", tmp_path, package)
    lines = ["--isolated", "--line-length", "110"]
    for command in (["format", "--check"], ["check", "--select", "E,F,I,UP,B,SIM"]):
        result = call(tmp_path, "ruff", *command, *lines, ".")
        assert result.returncode == 0, result.stdout
    assert not any("$" in path.read_text() for path in tmp_path.rglob("*.*") if path.is_file())


def test_check_finds_it_by_module_and_by_task(tmp_path):
    new("clinic", tmp_path)
    result = call(tmp_path, "simdistill", "check", "clinic:Clinic")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("Clinic: no problems")
    text = (tmp_path / "clinic.py").read_text()
    (tmp_path / "clinic.py").write_text(
        text.replace("[len(queue) for queue in self.waiting]", "set(self.waiting[0])")
    )
    result = call(tmp_path, "simdistill", "check", "clinic")
    assert result.returncode == 1
    assert "the state isn't JSON: state['waiting'] is" in result.stdout
    assert call(tmp_path, "simdistill", "check", "clinik").returncode == 2


@pytest.mark.slow
def test_a_run_finds_it_in_worker_processes_too(tmp_path, tiny_folder):
    new("clinic", tmp_path)
    overrides = [*SMALL, f"student.name={tiny_folder}", "output=run", "workers=2"]
    result = call(tmp_path, "simdistill", "run", "task=clinic", *overrides)
    assert result.returncode == 0, result.stderr[-3000:]
    assert {"metrics.json", "report.html", "questions.parquet"} <= files(tmp_path / "run")


def test_the_package_offers_its_simulator_as_an_entry_point(tmp_path):
    project, site = tmp_path / "project", tmp_path / "site"
    project.mkdir()
    new("clinic", project, package=True)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*pip, "--target", str(site), str(project)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    code = (
        "import gymnasium, simdistill; from simdistill import registry;"
        "print(registry.load('simulators', 'clinic').__module__);"
        "print(gymnasium.make('simdistill/Clinic-v0').reset(seed=0)[1]['choices'])"
    )
    result = call(tmp_path, "python", "-c", code, PYTHONPATH=str(site))
    assert result.stdout.splitlines() == ["clinic.simulator", "['A', 'B']"], result.stderr


@pytest.mark.parametrize("existing", ["tasks/clinic.yaml", "test_clinic.py"])
def test_it_never_writes_over_anything(tmp_path, existing):
    path = tmp_path / existing
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    with pytest.raises(InputError, match=f"{existing} exists already, and nothing was written"):
        new("clinic", tmp_path)
    assert path.read_text() == "mine"
    assert files(tmp_path) == {existing}


def test_a_second_time_names_the_files_that_exist(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert CliRunner().invoke(app, ["new", "clinic"]).exit_code == 0
    again = CliRunner().invoke(app, ["new", "clinic"])
    assert again.exit_code == 2
    assert again.stderr.startswith("simdistill: clinic.py, tasks/clinic.yaml, test_clinic.py exist already")
    shutil.rmtree("tasks")
    assert "clinic.py, test_clinic.py exist" in CliRunner().invoke(app, ["new", "clinic"]).stderr


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("FieldHospital", "is 'field_hospital' meant?"),
        ("my clinic", "is 'my_clinic' meant?"),
        ("../clinic", "is 'clinic' meant?"),
        ("9", "use lower-case letters"),
        ("class", "no Python keyword"),
        ("queueing", "there is a simulator 'queueing' already"),
        ("json", "there is a Python module 'json' already"),
        ("simpy", "such as 'simpy_process'"),
        ("tasks", "is reserved for a folder or a test"),
        ("test_clinic", "is reserved for a folder or a test"),
    ],
)
def test_names_that_cannot_be_used(tmp_path, name, message):
    with pytest.raises(InputError) as caught:
        new(name, tmp_path)
    assert message in str(caught.value)
    assert files(tmp_path) == set()
