"""The end of a task ends its episodes, even if helper processes go on; errors name endless processes."""

import math

import pytest

from simdistill.envs.simulator_env import SimulatorEnv
from simdistill.errors import ProcessError
from simdistill.simulation import Forecast, ProcessModel
from simdistill.simulation.alive import endless_processes, kept_alive_by
from simdistill.simulation.event_log.recording import follow_and_record
from simdistill.simulation.outcomes import outcomes
from simdistill.simulation.rollout import replicate
from simdistill.simulation.situations import Episode


class Ward(ProcessModel):
    """Three patients in the first half hour; a monitor and the weather go on for ever."""

    max_silent_events = 2_000

    def build(self):
        self.inside = 0
        self.level("inside", 0)
        self.env.process(self.patients())
        self.env.process(self.monitor())
        self.env.process(self.weather())

    def patients(self):
        for _ in range(3):
            yield self.env.timeout(10.0)
            self.inside += yield self.decide("Admit?", {"no": 0, "yes": 1})
            self.cost_rate("beds", self.inside)
            self.level("inside", self.inside)

    def monitor(self):
        while True:
            yield self.env.timeout(1.0)

    def weather(self):
        while True:
            yield self.env.timeout(2.0) | self.env.timeout(3.0)
            if self.env.now > 100.0:
                self.level("inside", 1000)

    def observe(self, decision):
        return {"inside": self.inside}

    def final_cost(self):
        return 100.0 * self.inside + self.env.now


def admit(state, choices):
    return "yes"


COST = 1.0 * 10 + 2.0 * 10 + 3.0 * 70 + 300.0 + 100.0
"""Beds until minute 100, and what falls due then."""


def test_a_replication_of_a_terminating_task_has_its_final_cost():
    found = replicate(Ward, {}, admit, (0, 1), 0.0, 100.0, terminating=True)
    assert (found.cost, found.time, found.decisions) == (COST, 100.0, 3)
    steady = replicate(Ward, {}, admit, (0, 1), 0.0, 100.0)
    assert steady.cost == pytest.approx((COST - 400.0) / 100.0)


def test_an_environment_terminates_at_the_tasks_end_and_is_truncated_at_a_horizon():
    for until, horizon, ended, total in (
        (100.0, 1000.0, (True, False), COST),
        (100.0, 100.0, (True, False), COST),
        (None, 100.0, (False, True), COST - 400.0),
        (200.0, 100.0, (False, True), COST - 400.0),
    ):
        env, rewards = SimulatorEnv(Ward, horizon=horizon, until=until), 0.0
        env.reset(seed=1)
        over = (False, False)
        while not any(over):
            _, reward, *over, info = env.step(1)
            rewards += reward
        assert tuple(over[:2]) == ended
        assert rewards == pytest.approx(-total)
        assert info["time"] == 100.0


def test_an_event_log_of_a_terminating_task_has_its_final_cost():
    assert follow_and_record(Ward, {}, admit, (0, 1), 100.0, terminating=True).cost == COST
    assert follow_and_record(Ward, {}, admit, (0, 1), 100.0).cost == COST - 400.0


def test_forecasts_do_not_look_past_the_end():
    situation = Episode(Ward({}, (0, 1))).advance()
    assert situation is not None
    later = [Forecast("How many are inside in 500 minutes?", "inside", 500.0, (10,))]
    assert outcomes(Ward, situation, admit, later, 2, until=100.0)[0].tolist() == [0, 0]
    assert outcomes(Ward, situation, admit, later, 2)[0].tolist() == [1, 1]


def run_on(model, until=math.inf):
    while model.advance(until) is not None:
        model.answer("yes")


def test_processes_that_go_on_for_ever_are_named():
    with pytest.raises(ProcessError) as caught:
        run_on(Ward())
    message = str(caught.value)
    assert (
        "2,000 events passed without a decision: Ward.monitor() and Ward.weather() goes on"
        in message.replace("Ward.weather() and Ward.monitor()", "Ward.monitor() and Ward.weather()")
    )
    assert "kind: terminating" in message and "`horizon`" in message and "`until`" in message
    assert "does the process still reach" not in message


def test_many_events_before_the_end_are_no_fault():
    model = Ward()
    run_on(model, 10_000.0)
    assert model._events > 3 * model.max_silent_events


def test_an_end_that_is_never_reached_is_told(process_of):
    def halves(model):
        delay = 1.0
        yield model.env.timeout(1.0)
        while True:
            delay /= 2
            yield model.env.timeout(delay)

    with pytest.raises(ProcessError, match=r"time stands still: halves\(\) never waits"):
        run_on(process_of(halves, max_silent_events=2_000)(), 10.0)
    with pytest.raises(ProcessError, match=r"halves\(\) goes on for ever|time stands still: halves"):
        run_on(process_of(halves, max_silent_events=20)(), 10.0)


def test_what_keeps_a_model_alive_is_named(process_of):
    def inner(model):
        yield model.env.timeout(5.0)

    def waits(model):
        yield model.env.process(inner(model)) | model.env.event()

    def asks(model):
        yield model.decide("Which?", ["A", "B"])

    model = process_of(waits, asks)()
    model.advance()
    assert kept_alive_by(model) == ["inner()"]
    model.answer("A")
    assert model.advance() is None
    assert kept_alive_by(model) == [] and endless_processes(model) == []
    ward = Ward()
    run_on(ward, 100.0)
    assert (
        set(kept_alive_by(ward)) == set(endless_processes(ward, 100)) == {"Ward.monitor()", "Ward.weather()"}
    )
