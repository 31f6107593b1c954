"""The front page: its length, its example, its figures and its map of files."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = ROOT / "benchmarks" / "results"


def block(kind: str, number: int = 0) -> str:
    """Returns the code of a fenced block of a kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)[number]


def test_it_is_short():
    assert len(TEXT.splitlines()) <= 130


def test_its_process_is_the_example_and_prints_what_the_page_says():
    example = (ROOT / "docs" / "examples" / "shop.py").read_text(encoding="utf-8")
    assert block("python") in example and sum(map(bool, block("python").splitlines())) <= 15
    (call,) = re.findall(r"`(simdistill\.what_if\(.*?\))`", TEXT)
    assert call in example
    assert block("text") == (ROOT / "docs" / "examples" / "shop.txt").read_text(encoding="utf-8")


def test_its_map_has_every_room_and_nothing_else():
    listed = re.findall(r"^(\S+/) |; (\w+/) ", block("text", 1), flags=re.MULTILINE)
    named = {first or f"simdistill/{second}" for first, second in listed}
    rooms = {f"simdistill/{path.parent.name}/" for path in (ROOT / "simdistill").glob("*/__init__.py")}
    assert named - {"simulators/", "tasks/", "tests/", "benchmarks/"} == rooms
    assert all((ROOT / name).is_dir() for name in named)


def test_its_pictures_are_there():
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", TEXT)
    assert len(pictures) > 5 and all((ROOT / picture).is_file() for picture in pictures)


def percent(value: float, digits: int = 2) -> str:
    return f"{100 * value:.{digits}f}"


@pytest.mark.parametrize("setting", ["default", "in distribution", "out of distribution"])
def test_its_figures_of_the_students_are_those_of_the_results(setting):
    rows = json.loads((RESULTS / "queueing.json").read_text(encoding="utf-8"))
    found = [row["value"] for row in rows if row["measure"] == f"student over the optimum, {setting}"]
    assert len(found) == 3 and f"{percent(min(found))} to {percent(max(found))}%" in TEXT


def test_its_picture_shows_what_the_table_says():
    kept = json.loads((RESULTS / "queueing_map.json").read_text(encoding="utf-8"))["over_optimum"]
    assert f"{percent(kept['join_shortest_queue'], 1)}%" in TEXT
    assert f"{percent(kept['shortest_expected_delay'], 1)}%" in TEXT
