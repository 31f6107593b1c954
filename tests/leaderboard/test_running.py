"""A board that runs: killed, it goes on; what fails is noted; what is kept is small."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from simdistill.files import read_json, write_json
from simdistill.runs.layout import Layout

ROOT = Path(__file__).parents[2]
OVERRIDES = [
    "teacher.generations=1",
    "teacher.scenarios=4",
    "teacher.futures=2",
    "teacher.compared_sets=2",
    "task.horizon=60",
    "task.warm_up=10",
    "distill.forecasts=0",
    "distill.validation_questions=8",
    "distill.batch_size=4",
    "distill.checkpoint_steps=2",
    "student.lora.r=2",
    "student.lora.layers=2",
    "student.dtype=float32",
    "evaluation.parameter_sets=1",
    "evaluation.replications=2",
    "evaluation.tabulated_mass=0.3",
    "evaluation.questions_shown=0",
    "evaluation.forecasts=0",
    "workers=1",
    "threads=1",
]


@pytest.fixture
def protocol_file(tiny_folder, tmp_path) -> Path:
    """A protocol of two cells with a tiny student, one of which can only fail."""
    document = {
        "version": "tiny",
        "description": "Two runs of a tiny student.",
        "questions": 32,
        "states": 32,
        "overrides": [*OVERRIDES, f"student.name={tiny_folder}", "distill.questions=32"],
        "tasks": {"queueing": []},
        "methods": {
            "sft": {"seeds": 1, "overrides": ["student.lora.targets=[no_such_layer]"]},
            "kd": {"seeds": 1},
        },
    }
    write_json(tmp_path / "tiny.yaml", document)  # JSON is YAML
    return tmp_path / "tiny.yaml"


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Lets boards be interrupted where the tests themselves can't, as in the background of a script."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def start(protocol: Path, folder: Path, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "benchmarks" / "leaderboard.py"), str(protocol), str(folder), *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_a_killed_board_goes_on_and_a_failed_cell_is_skipped(protocol_file, tmp_path):
    folder = tmp_path / "board"
    run = folder / "queueing-kd-0"
    board = start(protocol_file, folder)
    deadline = time.monotonic() + 200
    while not Layout(run).taught.exists():
        assert time.monotonic() < deadline and board.poll() is None, board.communicate()[0]
        time.sleep(0.1)
    os.killpg(board.pid, signal.SIGKILL)
    board.communicate()
    taught = (run / "config.yaml").stat().st_mtime_ns
    assert "no_such_layer" in read_json(folder / "failed.json")["queueing-sft-0"]

    board = start(protocol_file, folder, "--beside", "2")
    while not (run / "training" / "clock.jsonl").exists():
        assert time.monotonic() < deadline and board.poll() is None, board.communicate()[0]
        time.sleep(0.1)
    os.killpg(board.pid, signal.SIGINT)
    said, _ = board.communicate(timeout=60)
    assert board.returncode == 130 and "repeat the command to resume" in said, said
    failed = folder / "failed.json"
    assert not failed.exists() or "queueing-kd-0" not in read_json(failed)

    board = start(protocol_file, folder, "--beside", "2")
    said, _ = board.communicate(timeout=300)
    assert board.returncode == 0, said
    assert f"resume={run}" in said and (run / "config.yaml").stat().st_mtime_ns == taught
    assert "no_such_layer" in read_json(folder / "failed.json")["queueing-sft-0"]
    assert sorted(path.name for path in run.iterdir()) == [
        "config.yaml",
        "environment.json",
        "metrics.json",
    ]
    assert "not run" in (folder / "leaderboard.html").read_text()

    before = read_json(run / "metrics.json")
    said, _ = start(protocol_file, folder, "--cells", "queueing-kd-*").communicate(timeout=300)
    assert "simdistill run" not in said and read_json(run / "metrics.json") == before
    write_json(protocol_file, read_json(protocol_file) | {"questions": 31})
    said, _ = start(protocol_file, folder).communicate(timeout=300)
    assert "is another protocol" in said
    board = start(protocol_file, folder, "--beside", "0")
    assert "must be at least 1" in board.communicate(timeout=300)[0] and board.returncode == 2
