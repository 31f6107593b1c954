"""Models that never put a question are named for it, however much time there is."""

import itertools
import re

import pytest

from simdistill import ProcessError, ProcessModel, exponential
from simdistill.adapt import charge, duration, process_model
from simdistill.checker.check import inspect_simulator

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""A signal may come in Hypothesis's callback of a garbage collection, where what it raises is lost."""


class Forgotten(ProcessModel):
    """Calls `decide` and goes on without the answer."""

    def build(self):
        self.env.process(self.run())

    def run(self):
        for number in itertools.count():
            yield self.duration("arrival", number, exponential(1.0))
            self.decide("In?", ["in", "away"])
            self.charge("cost", 1.0)

    def observe(self, decision):
        return {"now": 0}


def unasked(env):
    for number in itertools.count():
        yield duration(env, "arrival", number, exponential(1.0))
        charge(env, "cost", 1.0)


Unasked = process_model(unasked)


def test_an_answer_that_nobody_waits_for_is_named_soon():
    with pytest.raises(
        ProcessError, match=r"decide\(\) was called 1,001 times, as for 'In\?', but no process"
    ):
        Forgotten().advance()
    (problem,) = (one for one in inspect_simulator(Forgotten).problems if one.check == "decisions")
    assert "answer = yield self.decide(...)" in problem.message


def test_a_model_without_a_question_is_named_when_time_is_up():
    report = inspect_simulator(Unasked, seconds=2.0)
    (problem,) = report.problems
    assert problem.check == "decisions", report
    assert re.search(
        r"no question came in .* events up to time \S+?(; unasked\(\) goes on| \(.*\))?$", problem.message
    )
    assert report.unfinished and "self." not in str(problem)
