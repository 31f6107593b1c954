"""Models that were written without simdistill in mind, and what adapting them took."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks" / "strangers"
NAMES = sorted(path.name for path in (FOLDER / "models").iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_at_most_fifteen_lines_change(name):
    command = ["git", "diff", "--no-index", "--numstat", "--", f"models/{name}", f"adapted/{name}"]
    lines = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True).stdout.splitlines()
    added = [int(line.split()[0]) for line in lines if line.rstrip("}").endswith(".py")]
    assert 0 < sum(added) <= 15


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["bare", "adapted"])
def test_models_run(name, kind):
    done = subprocess.run(
        [sys.executable, "timing.py", kind, name, "1"], cwd=FOLDER, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["seconds"] > 0
