"""Runs that depend on hashes of texts differ from process to process."""

import importlib
import sys
from pathlib import Path

from simdistill.checker.check import inspect_simulator
from simdistill.checker.hashing import hashes
from simdistill.checker.probe import Subject
from simdistill.simulators.queueing import Queueing

sys.path.append(str(Path(__file__).resolve().parent))
hashed = importlib.import_module("hashed")


def found(simulator, **params):
    return list(hashes(Subject(simulator, simulator.parse(params), 0, False)))


def test_the_order_of_a_set_and_hashes_are_found():
    for simulator in (hashed.WaitingRoom, hashed.Hashed):
        ((message, advice),) = found(simulator)
        assert "differ in every process: at decision" in message and "sorted(waiting)" in advice
    assert "hashes" in [problem.check for problem in inspect_simulator(hashed.Hashed).problems]


def test_a_set_whose_order_does_not_matter_is_sound():
    assert found(hashed.WaitingRoom, ordered=True) == []


def test_what_cannot_be_run_elsewhere_is_noted():
    class Local(hashed.Hashed):
        pass

    (note,) = found(Local)
    assert isinstance(note, str) and "wasn't compared" in note


def test_models_without_sets_are_not_run_elsewhere(monkeypatch):
    monkeypatch.setattr("subprocess.run", None)
    assert found(Queueing) == []
