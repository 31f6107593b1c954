"""What a shell completes, and that a mistake in the user's files shows nothing in the command line."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from simdistill.cli import completion

SCRIPT = Path(sys.executable).with_name("simdistill")


def completed(incomplete: str, *words: str, verb: str = "run") -> list[str]:
    context = SimpleNamespace(params={"overrides": list(words)}, info_name=verb)
    return [word for word, _ in completion.overrides(context, incomplete)]


@pytest.fixture
def outputs(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        folder = tmp_path / "outputs" / "queueing" / name
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text("")
    return tmp_path


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_shells_complete_the_tasks(shell, tmp_path):
    # Bash takes the "=" for a word, so that COMP_WORDS has three.
    asked = {
        "bash": {"COMP_WORDS": "simdistill\nrun\ntask\n=\nqueue", "COMP_CWORD": "4"},
        "zsh": {"_TYPER_COMPLETE_ARGS": "simdistill run task=queue"},
    }[shell]
    told = subprocess.run(
        [SCRIPT],
        env=os.environ | asked | {"_SIMDISTILL_COMPLETE": f"complete_{shell}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    words = told.stdout.split()
    assert told.stderr == "" and told.returncode == 0
    assert ("queueing" if shell == "bash" else '"task=queueing"') in " ".join(words)
    assert "task=inventory" not in told.stdout


def test_values_stand_alone_after_an_equals_sign_that_is_a_word():
    assert "queueing" in completed("", "task") and "queueing" in completed("", "seed=1", "task")
    assert completed("grp", "task", "=", "queueing", "method", "=") == ["grpo"]
    assert "task=" in completed("", "task", "=", "queueing")


def test_fields_are_completed_with_their_equals_sign():
    assert {"task=", "teacher=", "distill.questions=", "student.lora.r="} <= set(completed(""))
    assert completed("student.lora.") == [word for word in completed("") if word.startswith("student.lora.")]


def test_the_only_field_is_completed_with_its_values():
    assert {"task=", "task=queueing"} <= set(completed("tas")) | set(completed("task="))
    assert completed("distill.balanc") == [
        "distill.balanced=",
        "distill.balanced=true",
        "distill.balanced=false",
    ]
    assert completed("method=sft_g") == ["method=sft_grpo"]
    assert completed("see") == ["seed=", "seed=0"]
    assert completed("device=") == ["device=auto"]


def test_only_run_resumes(outputs):
    assert completed("resume=") == ["resume=outputs/queueing/two", "resume=outputs/queueing/one"]
    assert completed("resume=", verb="play") == [] and "resume=" not in completed("", verb="play")


def test_runs_and_other_folders_are_completed(outputs):
    assert completion.runs("") == ["outputs/queueing/two", "outputs/queueing/one"]
    assert completion.runs("outputs/q") == [*completion.runs(""), "outputs/queueing/"]
    assert completion.runs("nowhere/") == []


def test_simulators_and_tasks_are_completed():
    assert "queueing" in completion.simulators("queue")
    assert "nhs_111" in completion.simulators_and_tasks("nhs")


def test_what_goes_wrong_completes_nothing(tmp_path, monkeypatch):
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "broken.yaml").write_bytes(b"\xff\xfe\x00")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("simdistill.config.tasks", lambda: 1 / 0)
    assert completed("task=") == []
