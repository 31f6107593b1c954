"""Folders of runs to report on: copies of what a tiny real run left."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

READ = ("config.yaml", "metrics.json", "metrics.jsonl", "examination.json", "environment.json")
"""The files that a report is made from."""


@pytest.fixture
def run(finished, tmp_path) -> Path:
    """A run's folder with the files that the report reads; a test may change them."""
    folder = tmp_path / "run"
    folder.mkdir()
    for name in READ:
        shutil.copy(finished / name, folder)
    return folder


@pytest.fixture
def good_run(run, edit) -> Path:
    """The same run with a student that costs what the heuristic does; the tiny one lets queues grow."""

    def improve(metrics: dict) -> None:
        (task,) = metrics["tasks"]
        heuristic = task["policies"][task["heuristic"]]
        task["policies"]["student"] = heuristic | {"title": "student"}
        task["measures"]["over_reference"] = heuristic["over_reference"]

    edit(run, "metrics.json", improve)
    return run


@pytest.fixture
def edit() -> Callable[[Path, str, Callable[[dict], object]], None]:
    """Changes one JSON file of a run: folder, name of the file, what to change in its contents."""

    def edited(folder: Path, name: str, change: Callable[[dict], object]) -> None:
        value = json.loads((folder / name).read_text())
        change(value)
        (folder / name).write_text(json.dumps(value))

    return edited


@pytest.fixture
def edit_task(edit) -> Callable[[Path, str, Callable[[dict], object]], None]:
    """Changes the only task's part of `metrics.json` or `examination.json`."""
    return lambda folder, name, change: edit(folder, name, lambda document: change(document["tasks"][0]))
