"""`simdistill.what_if`: one decision's choices in a call, and errors that say what to do."""

import doctest
import math

import matplotlib
import numpy as np
import pytest

import simdistill
from simdistill.adapt import charge, cost_rate, decide, duration, final_cost, process_model
from simdistill.errors import InputError
from simdistill.simulation import Parameters, ProcessModel, exponential
from simdistill.simulation import what_if as module


class Jobs(ProcessModel):
    """Until 50 jobs are done each unit of time costs 1; one choice makes jobs shorter."""

    class Params(Parameters):
        set_up: float = 0.0
        marked: bool = False
        sometimes: bool = False

    def build(self):
        self.left = 50
        self.env.process(self.work())

    def work(self):
        self.cost_rate("time", 1.0)
        mean = yield self.decide("How?", {"slow": 1.0, "fast": 0.8})
        if mean < 1:
            size = self.draw("set-up", 0, exponential(1.0)) if self.params.sometimes else 1.0
            self.charge("set-up", self.params.set_up * size)
        while self.left:
            yield self.duration("job", self.left, exponential(mean))
            self.left -= 1
        self.cost_rate("time", 0.0)

    def observe(self, decision):
        return {"left": self.left}

    def fingerprint(self):
        return (self.left, self.env.now) if self.params.marked else None


class Bill(ProcessModel):
    """A bill of 1,000 is due at minute 150, and 7 at the end for whoever hasn't paid 5 by then."""

    helpers = True

    def build(self):
        self.paid = False
        self.env.process(self.ask())
        self.env.process(self.due())
        if self.helpers:
            self.env.process(self.monitor())

    def ask(self):
        for _ in range(3):
            yield self.env.timeout(10.0)
            if not self.paid and (yield self.decide("Pay now?", ["no", "yes"])) == "yes":
                self.charge("paid", 5.0)
                self.paid = True

    def due(self):
        yield self.env.timeout(150.0)
        if not self.paid:
            self.charge("bill", 1000.0)

    def monitor(self):
        while True:
            yield self.env.timeout(0.5)

    def observe(self, decision):
        return {"minute": self.env.now}

    def final_cost(self):
        return 0.0 if self.paid else 7.0 + self.env.now


def never(state, choices):
    return choices[0]


@pytest.mark.parametrize("marked", [False, True])
@pytest.mark.parametrize("params", [{}, {"set_up": 0.5}, {"set_up": 0.5, "sometimes": True}])
def test_branches_that_are_equal_so_far_arent_at_rest(marked, params):
    short = simdistill.what_if(Jobs, {**params, "marked": marked}, policy=never, futures=200, horizon=10.0)
    long = simdistill.what_if(Jobs, {**params, "marked": marked}, policy=never, futures=200, horizon=200.0)
    saved = -10.0 + params.get("set_up", 0.0)
    for found in (short, long):
        assert found.coupled == 1.0
        assert abs(found.mean[1] - saved) < 3 * found.standard_error[1] < 1.5
    assert long.mean[1] == pytest.approx(short.mean[1], abs=1e-6)


def test_what_the_last_horizon_cannot_tell_is_said():
    found = simdistill.what_if(Jobs, policy=never, futures=20, horizon=0.5)
    assert found.coupled == 0.0 and found.horizon == 16.0
    assert found.mean[1] == 0.0 and found.standard_error[1] == 16.0
    assert found.standard_error[0] == 0.0
    assert found.unsettled and str(found).endswith(
        "not at rest by then: give a longer horizon, or a fingerprint"
    )


def test_a_task_ends_at_its_end():
    day = simdistill.what_if(Bill, policy=never, futures=4, until=100.0)
    np.testing.assert_allclose(day.mean, [0.0, 5.0 - 107.0])
    assert day.coupled == 1.0 and not day.standard_error.any()
    later = simdistill.what_if(Bill, policy=never, futures=4, until=200.0)
    np.testing.assert_allclose(later.mean, [0.0, 5.0 - 1207.0])
    # A steady state has no end, so nothing falls due at one; the bill does.
    endless = simdistill.what_if(Bill, policy=never, futures=4, horizon=60.0)
    assert endless.mean[1] == 5.0 - 1000.0


def test_decisions_are_counted_from_0():
    found = [simdistill.what_if(Bill, decision=n, policy=never, futures=2, until=100.0) for n in range(3)]
    assert [one.situation.time for one in found] == [10.0, 20.0, 30.0]
    assert [len(one.situation.actions) for one in found] == [0, 1, 2]
    with pytest.raises(
        InputError, match=r"decision = 3, and the episode of Bill with seed 0 has 3 decisions"
    ):
        simdistill.what_if(Bill, decision=3, policy=never, until=100.0)
    with pytest.raises(InputError, match=r"has 1 decisions until 15"):
        simdistill.what_if(Bill, decision=1, policy=never, until=15.0)


def test_a_process_may_be_a_name_a_class_or_an_adapted_function():
    def shop(env, price: float = 2.0):
        def run():
            taken = yield decide(env, "Which?", ["cheap", "dear"], lambda: {"price": price})
            cost_rate(env, "waiting", 1.0)
            charge(env, "paid", price if taken == "dear" else 0.0)
            yield duration(env, "way", 0, exponential(1.0))

        final_cost(env, lambda: 1.0)
        env.process(run())

    found = simdistill.what_if(process_model(shop), {"price": 3.0}, policy=never, futures=2)
    assert found.choices == ("cheap", "dear") and list(found.mean) == [0.0, 3.0]
    assert simdistill.what_if("queueing", futures=4).choices == ("A", "B")
    with pytest.raises(InputError, match=r"process_model\(shop\)"):
        simdistill.what_if(shop)  # pyright: ignore[reportArgumentType]


def test_it_is_repeatable_and_seeds_differ():
    first, again, other = (simdistill.what_if("queueing", seed=s, decision=5, futures=8) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.mean, again.mean)
    assert first.situation.state != other.situation.state or (first.mean != other.mean).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"Process": "queing"}, "did you mean 'queueing'"),
        ({"Process": 3}, "no process model"),
        ({"policy": "join_shortest_que"}, "did you mean 'join_shortest_queue'"),
        ({"policy": 3}, "a name or a function, got 3"),
        ({"decision": -1}, "decision must be a whole number, 0 or more; got -1"),
        ({"decision": 1.5}, "got 1.5"),
        ({"futures": 1}, "futures must be a whole number, 2 or more"),
        ({"horizon": 0}, "horizon must be a positive time"),
        ({"horizon": math.nan}, "horizon must be a positive time"),
        ({"horizon": "60"}, "horizon must be a positive time, got '60'"),
        ({"horizon": math.inf}, "horizon must be a positive time, got inf"),
        ({"until": -5.0}, "until must be a time after 0"),
        ({"until": "noon"}, "until must be a time after 0, got 'noon'"),
        ({"until": True}, "until must be a time after 0, got True"),
        ({"params": 3}, "the parameters of Queueing are a mapping from names to values, got 3"),
        ({"params": {"arival_rate": 1.0}}, "arival_rate"),
    ],
)
def test_what_is_wrong_is_named(arguments, message):
    with pytest.raises(InputError, match=message):
        simdistill.what_if(**{"Process": "queueing", **arguments})


def test_a_policy_that_answers_something_else_is_named():
    with pytest.raises(Exception, match=r"took 'C', which isn't one of \['A', 'B'\]"):
        simdistill.what_if("queueing", policy=lambda state, choices: "C")


def test_it_is_drawn():
    matplotlib.use("agg")
    axes = simdistill.what_if("queueing", futures=4).plot()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["A", "B"]
    assert simdistill.what_if(Jobs, policy=never, futures=4, horizon=0.5).plot(ax=axes) is axes


def test_its_example_is_right():
    assert doctest.testmod(module).failed == 0


def test_the_readers_of_inputs_are_public():
    assert simdistill.inputs.shifts.__module__ == "simdistill.inputs.readers"
    assert callable(simdistill.inputs.empirical) and callable(simdistill.inputs.hourly_rates)
