"""The how-to "Bring your model": its code runs, and its commands and traps say what it says they say."""

import difflib
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from simdistill.cli import app
from simdistill.config import compose
from simdistill.files import read_json
from simdistill.runs import pipeline

DOCS = Path(__file__).parents[1] / "docs"
EXAMPLE = DOCS / "examples" / "bring_your_model"
TEXT = (DOCS / "how-to" / "bring-your-model.md").read_text(encoding="utf-8")
TRAP = re.compile(
    r"^### (?P<name>[^\n]+)\n(?:(?!^### |^## ).)*?^```diff\n(?P<diff>.*?)^```\n+```text\n(?P<told>.*?)^```",
    flags=re.MULTILINE | re.DOTALL,
)
TRAPS = {trap["name"]: trap for trap in TRAP.finditer(TEXT[TEXT.index("\n## Traps") :])}
AT_ONCE = ("A forgotten yield",)
"""Traps whose models fail early, so that the check takes no time."""

CHECK = """
import sys

sys.path.insert(0, "")
import clinic

from simdistill.checker.check import inspect_simulator

report = inspect_simulator(clinic.OneDay, seconds=600)
print(*(f"{problem.check}: {problem}" for problem in report.problems), sep="\\n")
print(*(f"note: {note}" for note in report.notes), sep="\\n")
"""


def blocks(language: str) -> list[str]:
    guide = TEXT[: TEXT.index("\n## Traps")]
    return re.findall(rf"^```{language}\n(.*?)^```", guide, flags=re.MULTILINE | re.DOTALL)


def said(output: str, folder: Path) -> str:
    """What was printed, on one line, without the folder, and without where objects are in memory."""
    return " ".join(re.sub(r"0x[0-9a-f]+", "0x…", output.replace(f"{folder}/", "")).split())


def run(folder: Path, *command: str) -> subprocess.CompletedProcess:
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8", "COLUMNS": "200"}
    return subprocess.run([sys.executable, *command], cwd=folder, env=env, capture_output=True, text=True)


def with_mistake(diff: str) -> str:
    """The example with the lines of a trap; hunks are separated by @@."""
    code = (EXAMPLE / "clinic.py").read_text(encoding="utf-8")
    for hunk in re.split(r"^@@\n", diff, flags=re.MULTILINE):
        old, new = (
            "".join(line[1:] for line in hunk.splitlines(keepends=True) if line[0] in (" ", sign))
            for sign in "-+"
        )
        assert code.count(old) == 1, old
        code = code.replace(old, new)
    return code


@pytest.fixture
def here(tmp_path) -> Path:
    """A folder with the example."""
    return shutil.copytree(EXAMPLE, tmp_path / "bring_your_model")


def test_the_changes_are_shown_and_counted():
    before, after = (
        (EXAMPLE / name).read_text(encoding="utf-8").splitlines()
        for name in ("clinic_original.py", "clinic.py")
    )
    changed = [line for line in list(difflib.unified_diff(before, after, n=0))[2:] if line[:2] != "@@"]
    shown = [line for line in "".join(blocks("diff")).splitlines() if line[1:].strip()]
    end = changed.index(
        "-def figures(replication: int) -> dict[str, float]:"
    )  # from there on only what is new
    kept = [line for line in changed if line[1:].strip()]
    wanted = [line for line in changed[:end] if line[1:].strip()]
    wanted += [line for line in changed[end:] if line[0] == "+" and line[1:].strip()]
    assert sorted(shown) == sorted(wanted)
    added = sum(line[0] == "+" for line in kept)
    assert f"{len(before)} lines" in TEXT and f"{added} lines are new" in TEXT
    assert added <= 25


def test_the_files_are_shown_as_they_are():
    assert blocks("yaml") == [(EXAMPLE / "tasks" / "clinic.yaml").read_text(encoding="utf-8")]
    (shown,) = blocks("python")
    assert (EXAMPLE / "what_if.py").read_text(encoding="utf-8").endswith(f"\n{shown}")


def test_the_commands_exist(here, monkeypatch):
    monkeypatch.chdir(here)
    monkeypatch.syspath_prepend(here)
    monkeypatch.delitem(sys.modules, "clinic", raising=False)
    verbs = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for line in "".join(blocks("sh")).splitlines():
        program, verb, *rest = shlex.split(line)
        assert verb in verbs if program == "simdistill" else (here / verb).exists()
        if verb == "run":
            assert compose(rest)


def test_the_notebook_prints_what_the_page_says(here):
    result = run(here, "what_if.py")
    assert result.returncode == 0, result.stderr
    assert result.stdout in blocks("text")


def test_a_trap_is_a_change_of_the_example():
    assert len(TRAPS) >= 12
    assert all(with_mistake(trap["diff"]) for trap in TRAPS.values())


def _is_told(name: str, folder: Path) -> None:
    (folder / "clinic.py").write_text(with_mistake(TRAPS[name]["diff"]), encoding="utf-8")
    result = run(folder, "-c", CHECK)
    assert result.returncode == 0, result.stderr
    assert said(TRAPS[name]["told"], folder) in said(result.stdout, folder)


@pytest.mark.parametrize("name", AT_ONCE)
def test_a_trap_is_told_at_once(name, here):
    _is_told(name, here)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in TRAPS if name not in AT_ONCE])
def test_a_trap_is_told(name, here):
    _is_told(name, here)


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["check", "validate"])
def test_a_command_prints_what_stands_below_it(verb, here):
    (line,) = [line for line in "".join(blocks("sh")).splitlines() if line.startswith(f"simdistill {verb}")]
    seconds = ("--seconds", "600") if verb == "check" else ("--workers", "1")
    result = run(here, "-m", *shlex.split(line), *seconds)
    assert result.returncode == 0, result.stderr
    assert said(result.stdout, here) in [said(block, here) for block in blocks("text")]


@pytest.mark.slow
def test_it_trains_a_student(here, tiny_folder, monkeypatch):
    from rich.console import Console

    monkeypatch.chdir(here)
    monkeypatch.syspath_prepend(here)
    monkeypatch.delitem(sys.modules, "clinic", raising=False)
    overrides = [
        "teacher.scenarios=4",
        "teacher.futures=4",
        "distill.questions=16",
        "evaluation.replications=2",
    ]
    overrides += [
        "student.lora.r=2",
        "student.lora.layers=2",
        "student.dtype=float32",
        "workers=1",
        "threads=1",
    ]
    overrides += [f"student.name={tiny_folder}", f"output={here / 'run'}", "check=false"]
    overrides += ["distill.validation_questions=4", "teacher.compared_sets=2"]
    (config,) = compose(["task=clinic", *overrides])
    metrics = read_json(pipeline.run(config, Console(quiet=True)) / "metrics.json")
    assert {"random", "reviews_first", "teacher", "student"} <= metrics["tasks"][0]["policies"].keys()
