"""Published models of others: what is taken of a clone, and how an adapter's lines are counted."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks" / "strangers"


@pytest.fixture
def public(monkeypatch):
    for folder in (FOLDER.parent, FOLDER):
        monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("SIMDISTILL_STRANGER", "")  # so that it is taken away again
    monkeypatch.delenv("SIMDISTILL_STRANGER")
    return importlib.import_module("public")


def committed(folder: Path) -> str:
    """Makes a repository with one commit, and returns it."""
    (folder / "model").mkdir()
    (folder / "model" / "times.py").write_text("""name = f"{strftime("%Y-%m-%d_%H-%M-%S")}.log"\n""")
    git = ["git", "-C", str(folder), "-c", "user.name=A", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "First"]):
        subprocess.run([*git, *command], check=True)
    return subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("place", [".", ".git"])
def test_a_models_files_are_taken_from_a_clone_or_a_git_directory(public, tmp_path, monkeypatch, place):
    commit = committed(tmp_path)
    monkeypatch.setattr(sys, "argv", ["adapter.py", str(tmp_path / place)])
    folder = public.fetched(commit, "model", python_312=True)
    text = (Path(folder) / "model" / "times.py").read_text()
    compile(text, "times.py", "exec")
    assert "strftime('%Y-%m-%d_%H-%M-%S')" in text
    monkeypatch.setattr(sys, "argv", ["adapter.py"])
    assert public.fetched(commit, "model") == folder  # in the processes that are started


def test_a_clone_that_is_missing_is_named(public, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["adapter.py"])
    with pytest.raises(SystemExit, match="name the folder of the model's clone"):
        public.fetched("a1", "model")
    monkeypatch.setattr(sys, "argv", ["adapter.py", str(tmp_path)])
    with pytest.raises(SystemExit, match="has no a1"):
        public.fetched("a1", "model")


def test_comments_and_measuring_are_no_lines_of_an_adapter(public, tmp_path):
    adapter = tmp_path / "adapter.py"
    adapter.write_text(
        '"""Of a model."""\n\nimport sys\n\n\ndef rule(state, choices):\n    """Says it."""\n'
        "    # A comment.\n    return min(\n        choices\n    )\n\n\n"
        "def figures(seed):\n    return {}\n\n\nif __name__ == '__main__':\n    rule(0, 1)\n"
    )
    assert public.lines_of(adapter) == 5


@pytest.mark.parametrize("adapter", sorted(path.stem for path in (FOLDER / "tasks").glob("*.yaml")))
def test_each_task_has_an_adapter_that_asks_for_its_model(adapter):
    done = subprocess.run([sys.executable, f"{adapter}.py"], cwd=FOLDER, capture_output=True, text=True)
    assert done.returncode == 1 and "name the folder of the model's clone" in done.stderr
