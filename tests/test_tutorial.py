"""The tutorial: its code runs, says what it says, and changes as little as it claims."""

import difflib
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from simdistill import registry
from simdistill.checker.check import check_simulator
from simdistill.cli import app
from simdistill.config import compose
from simdistill.files import read_json
from simdistill.runs import pipeline

DOCS = Path(__file__).parents[1] / "docs"
EXAMPLES = DOCS / "examples"
TEXT = (DOCS / "tutorial.md").read_text(encoding="utf-8")
PUBLISHED = "adf0bae936e28cf43f13f84af75fd7ea08350b3fd5ea404f075b1a95f877e462"
"""SHA-256 of docs/examples/code/carwash.py in the source distribution of SimPy 4.1.2."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)


def changes() -> list[str]:
    """The lines taken out (-) and added (+) between SimPy's example and ours."""
    before, after = ((EXAMPLES / n).read_text().splitlines() for n in ("carwash_simpy.py", "carwash.py"))
    return [line for line in difflib.unified_diff(before, after, n=0, lineterm="")][2:]


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A folder with the examples, which is the current one and from which modules are imported."""
    shutil.copytree(EXAMPLES, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "carwash", raising=False)
    return tmp_path


def test_the_example_is_as_published():
    assert hashlib.sha256((EXAMPLES / "carwash_simpy.py").read_bytes()).hexdigest() == PUBLISHED


def test_fewer_than_40_lines_change():
    before, after = (
        (EXAMPLES / name).read_text().splitlines() for name in ("carwash_simpy.py", "carwash.py")
    )
    matcher = difflib.SequenceMatcher(None, before, after)
    hunks = [code[1:] for code in matcher.get_opcodes() if code[0] != "equal"]
    taken, added = sum(b - a for a, b, _, _ in hunks), sum(d - c for _, _, c, d in hunks)
    changed = sum(max(b - a, d - c) for a, b, c, d in hunks)  # a line in place of another counts once
    assert changed < 40
    task = len((EXAMPLES / "tasks" / "carwash.yaml").read_text().splitlines())
    told = (
        f"{changed} lines of the example change ({added} lines added and {taken} taken out), "
        f"and a task of {task} lines"
    )
    assert told in " ".join(TEXT.split())


def test_every_changed_line_is_shown():
    shown = [line for block in blocks("diff") for line in block.splitlines() if line[1:].strip()]
    changed = [line for line in changes() if not line.startswith("@@") and line[1:].strip()]
    assert sorted(shown) == sorted(changed)


def test_the_task_is_shown_as_it_is():
    assert blocks("yaml") == [(EXAMPLES / "tasks" / "carwash.yaml").read_text()]


def test_the_code_prints_what_the_tutorial_says(here):
    (code,), (output,) = blocks("python"), blocks("text")
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    result = subprocess.run([sys.executable, "-c", code], cwd=here, env=env, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout == output


def test_the_commands_exist(here):
    verbs = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    commands = [shlex.split(line) for block in blocks("sh") for line in block.splitlines()]
    assert [words[1] for words in commands] == ["check", "play", "run"]
    for _, verb, *rest in commands:
        assert verb in verbs
        if verb != "check":
            assert compose(rest)


def test_the_model_conforms(here):
    check_simulator(registry.load("simulators", "carwash:CarWash"))


@pytest.mark.slow
def test_it_trains_a_student(here, tiny_folder):
    from rich.console import Console

    overrides = [
        "teacher.generations=1",
        "teacher.scenarios=6",
        "teacher.futures=4",
        "teacher.compared_sets=2",
        "distill.questions=16",
        "distill.validation_questions=4",
        "distill.batch_size=8",
        "student.lora.r=2",
        "student.lora.layers=2",
        "student.dtype=float32",
        "task.warm_up=10",
        "task.horizon=40",
        "evaluation.parameter_sets=1",
        "evaluation.replications=2",
        "evaluation.questions_shown=1",
        f"student.name={tiny_folder}",
        f"output={here / 'run'}",
        "workers=1",
        "threads=1",
    ]
    (config,) = compose(["task=carwash", *overrides])
    folder = pipeline.run(config, Console(quiet=True))
    metrics = read_json(folder / "metrics.json")
    assert metrics["questions"] == 16
    assert {"random", "quick_if_waiting", "teacher", "student"} <= metrics["tasks"][0]["policies"].keys()
