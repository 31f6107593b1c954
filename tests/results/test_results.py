"""The typed contents of metrics.json: every committed file is read, and what is written is read again."""

import json
from pathlib import Path

import pytest

from simdistill.errors import InputError
from simdistill.files import read_json
from simdistill.results import SETTINGS, Results
from simdistill.results.migration import MOVED
from simdistill.statistics import Estimate

KEPT = sorted((Path(__file__).parents[2] / "benchmarks" / "results").glob("*/*/metrics.json"))
OLD = next(path for path in KEPT if path.parent.name == "queueing-simdistill-0")


def at(document, path: str):
    """The value at a path in a document."""
    for name in path.split("/"):
        document = document[int(name) if isinstance(document, list) else name]
    return document


def test_every_kept_file_is_read_and_written_again_as_it_was_read(tmp_path):
    assert len(KEPT) > 100
    for path in KEPT:
        results = Results.read(path)
        results.write(tmp_path / "metrics.json")
        assert Results.read(tmp_path / "metrics.json") == results
        assert read_json(tmp_path / "metrics.json")["layout"] == 3


def test_numbers_of_the_layout_before_are_where_the_table_says():
    rows = ("policies", "generations")  # their fields are compared by name, below
    for path in KEPT:
        before, now = read_json(path), Results.read(path).model_dump(mode="json")
        moved = [old for old in MOVED if old in before and old not in rows and old != "forecasts"]
        assert len(moved) > 10
        assert [old for old in moved if at(now, MOVED[old]) != before[old]] == []
        if before["forecasts"]:
            assert at(now, MOVED["forecasts/skill"]) == before["forecasts"]["skill"]
            assert at(now, MOVED["forecasts"])["log_score"] == before["forecasts"]["log_score"]


def test_measures_are_estimates_by_setting():
    (task,) = Results.read(OLD).tasks
    over = task.measure("over_reference", "in_distribution")
    assert over == task.policies["student"].over_reference["in_distribution"]
    assert isinstance(over, Estimate) and over.low < over.mean < over.high
    assert task.measure("unheard_of", "default") is None
    assert set(task.measures["over_teacher"]) == set(SETTINGS)


def test_rows_have_the_names_of_now():
    before, results = read_json(OLD), Results.read(OLD)
    regrets = [point["tune_regret"] for point in before["learning"]["points"]]
    assert [point.validation_regret for point in results.learning.points] == regrets
    coupled = [generation["futures_that_met"] for generation in before["generations"]]
    assert [generation.futures_coupled for generation in results.tasks[0].generations] == coupled


@pytest.mark.parametrize("layout", [1, 4, None, "3"])
def test_another_layout_is_refused_with_a_reason(layout, tmp_path):
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps(read_json(OLD) | {"layout": layout}))
    with pytest.raises(
        InputError, match=rf"metrics.json: its layout is {layout}, but this version .* reads 2 and 3"
    ):
        Results.read(path)


@pytest.mark.parametrize("text", ["", "[]", '{"layout": 2}', '{"layout": 3}', '{"layout":'])
def test_what_is_no_result_is_refused(text, tmp_path):
    path = tmp_path / "metrics.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"metrics\.json: (its|it can't be read|invalid metrics)"):
        Results.read(path)


def test_a_learning_curve_that_never_gets_there_is_censored_at_its_last_point():
    learning = Results.read(OLD).learning
    point, there = learning.until(share=0.0)
    assert not there and point == learning.points[-1]
    first, there = learning.until(share=1e9)
    assert there and first == learning.points[0]
