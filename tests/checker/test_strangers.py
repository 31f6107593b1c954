"""The check reports no problem of sound models of strangers, and the right one of the others."""

import ast
import importlib
import inspect
import re
import sys
import threading
import time
from pathlib import Path

import pytest

from simdistill.checker import branching, failures, generators, offers, randomness, runs, values
from simdistill.checker.apart import inspect_apart
from simdistill.checker.check import CHECKS, inspect_simulator
from simdistill.checker.limits import TimeIsUp, limited
from simdistill.checker.words import worded
from simdistill.errors import InputError
from simdistill.simulation.decisions import Decision

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""A signal may come in Hypothesis's callback of a garbage collection, where what it raises is lost."""

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE))
strangers = importlib.import_module("strangers")

OF_A_CLASS = re.compile(r"\bself\.|\bobserve\(\)|\bbuild\(\)")


@pytest.mark.parametrize("name", list(strangers.SOUND))
def test_a_sound_model_of_a_stranger_passes(name):
    report = inspect_simulator(getattr(strangers, "".join(part.capitalize() for part in name.split("_"))))
    assert report.problems == () and report.unfinished == ()


@pytest.mark.parametrize(
    ("simulator", "check", "told"),
    [
        (strangers.Free, "cost", "'waiting' stayed 0"),
        (strangers.Numbered, "labels", "new ones go on coming, such as 'patient"),
        (strangers.RunsItself, "runs", "line: env.run(until=480)"),
        (strangers.RunsInAProcess, "runs", "line: env.run()"),
        (strangers.StandsStill, "time", "of polling()"),
        (strangers.OwnGenerator, "own random numbers", "a numpy Generator"),
        (strangers.SeededEverywhere, "own random numbers", "the module random"),
        (strangers.SharedGenerator, "own random numbers", "a numpy RandomState"),
        (strangers.UnequalSites, "deciders", "see {\"day\": 0}, but what 'yes' costs"),
        (strangers.Wrapped, "workers", "stands for something else"),
    ],
)
def test_what_is_wrong_is_told_in_the_words_of_the_model(simulator, check, told):
    report = inspect_simulator(simulator)
    found = {problem.check: str(problem) for problem in report.problems}
    assert told.removeprefix("line: ") in found[check], report
    if simulator is not strangers.Wrapped:
        assert not OF_A_CLASS.search(str(report))


def test_no_message_to_a_function_speaks_of_self():
    for module in (branching, failures, generators, offers, randomness, runs, values):
        for text in _texts(inspect.getsource(module)):
            said = worded(text, strangers.Free)
            assert not OF_A_CLASS.search(said), said


def _texts(source: str) -> list[str]:
    """Texts of a source as a person reads them, without docstrings and what f-strings put in."""
    tree = ast.parse(source)
    docs = [node.body[0] for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.Module)]
    left = {id(doc.value) for doc in docs if isinstance(doc, ast.Expr)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in left:
            found.append(node.value)
    return found


def test_processes_that_never_end_are_named():
    noted = " ".join(inspect_simulator(strangers.DayWithMonitor).notes)
    assert "monitor() and weather() go on for ever" in noted and "kind: terminating" in noted
    noted = " ".join(inspect_simulator(strangers.DayWithMonitor, until=100.0).notes)
    assert "monitor() and weather() go on for ever" in noted


@pytest.mark.parametrize(
    ("simulator", "place"), [(strangers.Blocks, "at time 0"), (strangers.BlocksWhenBuilt, "function")]
)
def test_a_model_that_never_comes_back_is_stopped(simulator, place):
    began = time.monotonic()
    report = inspect_simulator(simulator, seconds=2)
    assert time.monotonic() - began < 10
    (problem,) = report.problems
    assert place in problem.message and "line " in problem.message and "while " in problem.message
    assert "runs" in report.unfinished and "not finished within 2 seconds: runs" in str(report)
    assert str(report).startswith(f"{simulator.__name__}: 1 problem so far")


def test_a_model_that_is_slow_gets_a_report_of_what_was_finished():
    report = inspect_simulator(strangers.Slow, seconds=6)
    assert report.problems == ()
    assert 0 < len(report.unfinished) < len(CHECKS) and "so far" in str(report)


def test_a_limit_holds_in_a_thread_and_puts_the_signal_back():
    stopped = []

    def work():
        try:
            with limited(0.3):
                while True:
                    pass
        except TimeIsUp:
            stopped.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(20)
    assert stopped == [True]
    with pytest.raises(TimeIsUp), limited(0.3):
        time.sleep(20)
    with limited(5.0):
        pass
    time.sleep(0.3)  # no signal comes any more


def test_a_file_that_cannot_be_imported_is_named(tmp_path, monkeypatch):
    (tmp_path / "torn.py").write_text("class Model:\n    def f(self, a=1, b): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"torn:Model can't be imported: SyntaxError: .*torn.py, line 2"):
        inspect_apart("torn:Model", {}, deterministic=False, seconds=12, until=100.0)


def test_an_answer_that_was_not_waited_for_is_explained():
    error = KeyError(Decision.__new__(Decision))
    check, (_, advice) = failures.failed(error)
    assert check == "runs" and "`answer = yield self.decide(…)`" in advice


def test_what_never_comes_back_from_c_code_is_ended():
    began = time.monotonic()
    report = inspect_apart("strangers:BlocksInC", {}, deterministic=False, seconds=12, until=100.0)
    assert time.monotonic() - began < 40
    assert "sum(itertools.repeat(0))" in str(report) or "strangers.py, line" in str(report)
    assert report.unfinished


def test_a_class_whose_module_is_a_property_is_passed_over():
    class Proxy:
        __module__ = property(lambda self: "elsewhere")  # type: ignore[assignment]

    class Shop:
        world, proxy = None, Proxy

    held = [thing for _, thing in generators._held_by(Shop())]  # type: ignore[arg-type]
    assert Proxy not in held
