"""What the package does is what it did: tiny runs, simulations, boards and old runs against golden files."""

import importlib
import json
import math
import re
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE))
record = importlib.import_module("record")

OLD_RUNS = record.load(HERE / "old_run" / "expected.json")
SHOWN = 10
"""Differences that a failed test shows."""


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    """A folder that holds the tiny student, in which runs are made."""
    folder = tmp_path_factory.mktemp("golden")
    record.make_student(folder / "student")
    return folder


@pytest.fixture(scope="module", params=list(record.RUNS))
def ran(request, work) -> tuple[str, dict]:
    """The name of a tiny run and what is kept of it."""
    return request.param, record.of_run(record.run(work, request.param))


@pytest.fixture(scope="module")
def simulated() -> dict:
    """What simulation alone gives."""
    return record.simulation()


def golden(name: str) -> Any:
    return record.load(HERE / f"{name}.json")


def differences(old: Any, new: Any, tolerance: float = 0.0, place: str = "") -> list[str]:
    """Returns where plain values differ, numbers by more than a tolerance, relative and absolute."""
    if isinstance(old, dict) and isinstance(new, dict):
        missing = [f"{place}/{name} is missing" for name in old if name not in new]
        added = [f"{place}/{name} is new" for name in new if name not in old]
        both = [
            found
            for name in old
            if name in new
            for found in differences(old[name], new[name], tolerance, f"{place}/{name}")
        ]
        return missing + added + both
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [
            found
            for number, (before, now) in pairs
            for found in differences(before, now, tolerance, f"{place}/{number}")
        ]
    return [] if same(old, new, tolerance) else [f"{place}: {short(old)} before, {short(new)} now"]


def same(old: Any, new: Any, tolerance: float) -> bool:
    """Whether two plain values are the same, numbers within a tolerance."""
    if is_number(old) and is_number(new):
        return math.isclose(old, new, rel_tol=tolerance, abs_tol=tolerance)
    return type(old) is type(new) and old == new


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 100 else f"{text[:100]}…"


def renamed(old: Any, new: Any, names: dict[str, str | None], tolerance: float) -> list[str]:
    """Returns where numbers differ that may have another name now; what is new besides doesn't matter.

    Args:
        old: Plain values as they were.
        new: Plain values now.
        names: Old path -> new path, null where something is left out; a path stands for all below it.
        tolerance: Share, or absolute, by which numbers may differ.
    """
    now, found = leaves(new), []
    for path, value in leaves(old).items():
        target = new_path(path, names)
        if target is None:
            continue
        if target not in now:
            found.append(f"{target} is missing, {short(value)} before")
        elif not same(value, now[target], tolerance):
            found.append(f"{target}: {short(value)} before, {short(now[target])} now")
    return found


def leaves(value: Any, place: str = "") -> dict[str, Any]:
    """Returns all values that hold no others, by their paths."""
    if value and isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        below = [leaves(item, f"{place}/{name}" if place else str(name)) for name, item in items]
        return {path: leaf for found in below for path, leaf in found.items()}
    return {place: value}


def new_path(path: str, names: dict[str, str | None]) -> str | None:
    """Returns a path's new name, by the longest path above it that has one; None if it is left out."""
    known = [name for name in names if path == name or path.startswith(f"{name}/")]
    if not known:
        return path
    longest = max(known, key=len)
    target = names[longest]
    return None if target is None else target + path.removeprefix(longest)


def columns(rows: list[dict], names: tuple[str, ...]) -> list[dict]:
    """Returns some columns of rows, as far as a row has them."""
    return [{name: row[name] for name in names if name in row} for row in rows]


def others(rows: list[dict], names: tuple[str, ...]) -> list[dict]:
    """Returns all other columns."""
    return [{name: value for name, value in row.items() if name not in names} for row in rows]


# Runs.


@pytest.mark.slow
def test_a_run_is_set_as_before(ran):
    name, found = ran
    assert renamed(golden(f"{name}/config"), found["config"], golden("config_keys"), 0.0)[:SHOWN] == []


@pytest.mark.slow
def test_questions_are_asked_in_the_same_words(ran):
    name, found = ran
    assert found["prompts"] == golden(f"{name}/prompts")
    kinds = {row["kind"] for row in found["questions"]}
    assert kinds == {"decision", "forecast"} and len(found["prompts"]) == 8


@pytest.mark.slow
@pytest.mark.parametrize("file", ["questions", "tune"])
def test_words_and_simulated_numbers_of_questions_are_exactly_the_same(ran, file):
    name, found = ran
    old = others(golden(f"{name}/{file}"), record.FITTED)
    new = others(found[file], record.FITTED)
    assert len(new) == len(old)
    for before, now in zip(old, new, strict=True):
        assert renamed(before, now, {}, 0.0)[:SHOWN] == []


@pytest.mark.slow
@pytest.mark.parametrize("file", ["questions", "tune"])
def test_fitted_values_of_questions_are_the_same(ran, file):
    name, found = ran
    old = columns(golden(f"{name}/{file}"), record.FITTED)
    assert any(old)
    assert differences(old, columns(found[file], record.FITTED), 1e-4)[:SHOWN] == []


@pytest.mark.slow
def test_training_begins_with_the_same_losses(ran):
    name, found = ran
    old = golden(f"{name}/steps")
    assert sum("loss" in row for row in old) == record.STEPS
    names = golden("step_keys")
    assert len(found["steps"]) == len(old)
    for before, now in zip(old, found["steps"], strict=True):
        assert renamed(before, now, names, 1e-4)[:SHOWN] == []


@pytest.mark.slow
def test_metrics_are_the_same(ran):
    name, found = ran
    names = golden("metric_keys")
    assert renamed(golden(f"{name}/metrics"), found["metrics"], names, 1e-4)[:SHOWN] == []


@pytest.mark.slow
def test_an_examination_is_the_same(ran):
    name, found = ran
    names = golden("examination_keys")
    assert renamed(golden(f"{name}/examination"), found["examination"], names, 1e-4)[:SHOWN] == []


@pytest.mark.slow
def test_rollouts_are_the_same_and_simulated_ones_exactly(ran):
    name, found = ran
    old, new = golden(f"{name}/rollouts"), found["rollouts"]
    assert [row["policy"] for row in new] == [row["policy"] for row in old]
    for before, now in zip(old, new, strict=True):
        tolerance = 1e-4 if before["policy"] in record.CHOSEN_BY_FIT else 0.0
        assert differences(before, now, tolerance)[:SHOWN] == []


# Simulation.


@pytest.mark.parametrize("part", ["policies", "replications", "what_if", "draws", "traces", "episodes"])
def test_simulation_is_exactly_the_same(simulated, part):
    assert differences(golden(f"simulation/{part}"), simulated[part])[:SHOWN] == []


# Boards.


@pytest.mark.parametrize("name", ["cpu-v1", "cpu-v2"])
def test_a_board_says_the_same(name):
    new = record.board(record.BOARDS / name)
    assert renamed(golden(f"boards/{name}"), new, golden("board_keys"), 1e-9)[:SHOWN] == []


# Old runs.


@pytest.mark.slow
@pytest.mark.parametrize("stop", list(OLD_RUNS))
def test_an_old_run_goes_on_or_is_refused_with_a_reason(work, stop):
    folder = record.unpack_old_run(work, stop)
    verb = ["evaluate", folder.name] if stop == "finished" else ["run", f"resume={folder.name}"]
    done = record.call(work, *verb)
    result, _, reason = OLD_RUNS[stop].partition(": ")
    if result == "refused":
        assert done.returncode == 2 and re.search(reason, done.stderr), done.stderr
        return
    assert result == "goes on" and done.returncode == 0, done.stderr
    assert (folder / "report.html").is_file() and (folder / "adapter").is_dir()
    old = record.HERE / "old_run" / "finished"
    before, now = (record.kept_metrics(record.load(run / "metrics.json")) for run in (old, folder))
    assert renamed(before, now, golden("metric_keys"), 1e-4)[:SHOWN] == []


# The tools themselves.


def test_a_number_is_found_under_its_new_name():
    old, names = {"a": {"b": 1.0, "c": [2, 3]}, "d": None}, {"a": "x/y", "a/c": "z", "d": None}
    assert renamed(old, {"x": {"y": {"b": 1.00001}}, "z": [2, 3], "more": 1}, names, 1e-4) == []
    assert renamed(old, {"x": {"y": {"b": 1.1}}, "z": [2]}, names, 1e-4) == [
        "x/y/b: 1.0 before, 1.1 now",
        "z/1 is missing, 3 before",
    ]


def test_what_differs_is_told():
    old, new = {"a": [1, 2.0, "x"], "b": True, "c": 1}, {"a": [1, 2.1, "y"], "b": 1, "d": 1}
    assert differences(old, new, 0.06) == [
        "/c is missing",
        "/d is new",
        '/a/2: "x" before, "y" now',
        "/b: true before, 1 now",
    ]
