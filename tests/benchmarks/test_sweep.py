"""The sweep of learning rates: which cells there are; nothing is trained."""

import importlib
from pathlib import Path

import pytest

from simdistill import registry
from simdistill.config.names import learns_from

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def sweep(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("sweep")


def test_without_more_than_a_task_all_methods_are_swept_that_need_no_language_model(sweep, tmp_path):
    given = sweep.parser().parse_intermixed_args(["task=queueing"])
    cells = sweep.configs(given.overrides, tmp_path, given.methods, [1e-3], [1000])
    methods = [config.method.name for config, _ in cells]
    assert methods == [name for name in registry.names("methods") if not learns_from(name)]


@pytest.mark.parametrize(
    ("method", "second"), [("sft", False), ("hidden", False), ("sft_grpo", True), ("opd", True)]
)
def test_a_second_stage_has_the_rate_that_is_swept(method, second, sweep, tmp_path):
    overrides = ["task=queueing", "teacher.model=teacher/model"]
    (config, lesson), (other, _) = sweep.configs(overrides, tmp_path, [method], [2e-3, 3e-3], [1000])
    distil = config.distill
    rate = config.method.learning_rate if second else distil.learning_rate
    assert rate == sweep.rate_of(config) == 2e-3 and sweep.rate_of(other) == 3e-3
    assert (distil.learning_rate is None) == second
    assert config.output != other.output != lesson.output


def test_a_wrong_field_is_told_without_a_traceback(sweep, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["sweep.py", "task=queueing", "distill.questions=0"])
    with pytest.raises(SystemExit) as stopped:
        sweep.main()
    assert stopped.value.code == 2
    assert "sweep: task=queueing: distill.questions: 0 should be" in capsys.readouterr().err
