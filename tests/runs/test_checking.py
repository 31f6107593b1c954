"""A run and a game check the process model first, and stop where its values would be wrong."""

import sys
from pathlib import Path

import pytest
from rich.console import Console

from simdistill import registry
from simdistill.checker import check
from simdistill.checker.guard import GUARDS, check_values
from simdistill.config import compose, fingerprint
from simdistill.errors import InputError
from simdistill.runs import checking, pipeline
from simdistill.runs.play import play
from simdistill.simulation.streams import without_tests

sys.path.append(str(Path(__file__).resolve().parents[1] / "checker"))


WRONG = "own random numbers: the run depends on random numbers of its own, of a numpy Generator"


def test_a_model_with_random_numbers_of_its_own_is_refused():
    config = compose(["task=queueing"])[0]
    parameters = config.task.parameters.model_copy(update={"default": {}})
    task = config.task.model_copy(update={"simulator": "strangers:OwnGenerator", "parameters": parameters})
    config = config.model_copy(update={"tasks": [task]})
    with pytest.raises(InputError, match=WRONG) as caught, without_tests():
        checking.check_tasks(config, Console(quiet=True))
    assert "check=false" in str(caught.value) and "self." not in str(caught.value)
    with pytest.raises(InputError, match=WRONG):
        play(config, Console(quiet=True), lambda question: "q")
    checking.check_tasks(config.model_copy(update={"check": False}), Console(quiet=True))


def test_a_run_is_checked_before_it_teaches_and_not_again(small, tiny_folder, tmp_path, monkeypatch):
    called = []
    monkeypatch.setattr(pipeline, "check_tasks", lambda config, *rest: called.append(config))

    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "teach", stop)
    with pytest.raises(KeyboardInterrupt):
        pipeline.run(small(tiny_folder, tmp_path / "run"), Console(quiet=True))
    assert len(called) == 1
    monkeypatch.setattr(pipeline, "_taught", lambda record: True)
    with pytest.raises(KeyboardInterrupt):
        pipeline.resume(tmp_path / "run", Console(quiet=True))
    assert len(called) == 1


def test_a_run_of_before_needs_to_know_when_its_questions_are_put():
    config = compose(["task=queueing"])[0]
    checking.check_when_asked(config)
    task = config.task.model_copy(update={"simulator": "strangers:Bank"})
    with pytest.raises(InputError, match=r'Bank means, decides_at = "end" to go on with the run as it was'):
        checking.check_when_asked(config.model_copy(update={"tasks": [task]}))


def test_what_there_was_no_time_for_is_told(monkeypatch, capsys):
    monkeypatch.setattr(checking, "check_values", lambda *arguments, **options: unfinished)
    unfinished = check.CheckReport("Queueing", (), (), (), ("branches",), 30.0)
    checking.check_tasks(compose(["task=queueing"])[0], Console(width=200))
    assert "the check of the process wasn't finished: branches" in capsys.readouterr().out


def test_the_checks_that_guard_values_draw_from_no_test():
    assert set(GUARDS) <= set(check.CHECKS)
    task = compose(["task=queueing"])[0].task
    with without_tests():
        report = check_values(registry.load("simulators", task.simulator), task.parameters.default)
    assert report.problems == () and report.unfinished == ()


def test_checking_makes_no_other_configuration():
    values = compose(["task=queueing"])[0].model_dump(mode="json")
    assert values["check"] is True
    assert fingerprint(values | {"check": False}) == fingerprint(values)
    assert fingerprint({name: value for name, value in values.items() if name != "check"}) == fingerprint(
        values
    )
