"""The examples of the documentation print what stands beside them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
WITHOUT_OUTPUT = {"carwash.py", "carwash_simpy.py"}
"""The tutorial's, which are compared elsewhere."""


@pytest.mark.parametrize("expected", sorted(EXAMPLES.glob("*.txt")), ids=lambda path: path.stem)
def test_an_example_prints_what_stands_beside_it(expected):
    script = expected.with_suffix(".py")
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}
    result = subprocess.run(
        [sys.executable, "-W", "error", script],
        cwd=EXAMPLES,
        env=env,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == expected.read_text(encoding="utf-8")


def test_every_example_has_an_output():
    scripts = {path.name for path in EXAMPLES.glob("*.py")} - WITHOUT_OUTPUT
    assert scripts and scripts == {path.with_suffix(".py").name for path in EXAMPLES.glob("*.txt")}
