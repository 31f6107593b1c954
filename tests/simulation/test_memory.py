"""What processes remember tells branches apart that have the same things scheduled."""

import itertools
import math

import numpy as np
import pytest
import simpy

import simdistill
from simdistill import ProcessModel, exponential
from simdistill.adapt import charge, cost_rate, decide, draw, duration, process_model
from simdistill.simulation import uniform
from simdistill.simulation.memory import differ, memory_of


def nothing():
    return {"n": 0}


def first(state, choices):
    return choices[0]


def late_bill(env, due: float = 500.0, monitored: bool = False, noisy: bool = False):
    """5 now, or 1,000 much later; only a variable of the process knows which."""

    def monitor():
        while True:
            yield env.timeout(0.5)

    def noise():
        for number in itertools.count():
            yield duration(env, "noise", number, exponential(1.0))
            charge(env, "noise", 1.0)

    if monitored:
        env.process(monitor())
    if noisy:
        env.process(noise())
    paid = (yield decide(env, "Pay?", ["no", "yes"], nothing)) == "yes"
    charge(env, "paid", 5.0 if paid else 0.0)
    yield env.timeout(due)
    charge(env, "bill", 0.0 if paid else 1000.0)


class LateBill(ProcessModel):
    """The same, known to an attribute of the model."""

    def build(self):
        self.paid = False
        self.env.process(self.ask())
        self.env.process(self.bill())

    def ask(self):
        self.paid = (yield self.decide("Pay?", {"no": False, "yes": True})) or False
        self.charge("paid", 5.0 * self.paid)

    def bill(self):
        yield self.env.timeout(500.0)
        self.charge("bill", 1000.0 * (not self.paid))

    def observe(self, decision):
        return {"n": 0}


def tank(env):
    """A stock that runs dry at minute 400, or at 500 if 5 are paid for more: only the level knows."""
    level = simpy.Container(env, 1000.0, init=400.0)

    def use():
        while level.level > 0:
            yield level.get(1.0)
            yield env.timeout(1.0)
        charge(env, "dry", max(0.0, 500.0 - env.now))

    if (yield decide(env, "Buy?", ["no", "yes"], nothing)) == "yes":
        charge(env, "bought", 5.0)
        yield level.put(100.0)
    env.process(use())


def jobs(env, share: float = 0.01):
    """Until 50 jobs are done a unit of time costs 1; seldom the faster way costs something else at once."""
    cost_rate(env, "time", 1.0)
    mean = yield decide(env, "How?", {"slow": 1.0, "fast": 0.8}, nothing)
    for job in range(50):
        yield duration(env, "job", job, exponential(mean))
        charge(env, "scrap", 0.5 if mean < 1 and draw(env, "scrap", job, uniform(0.0, 1.0)) < share else 0.0)
    cost_rate(env, "time", 0.0)


def counting(env):
    """Sound: a queue that empties soon, with counts and records that tell branches apart for ever."""
    door, waits, away = simpy.Resource(env), [], {"count": 0, "who": []}

    def visitor(number):
        if (yield decide(env, "In?", ["in", "away"], lambda: {"queue": len(door.queue)})) == "away":
            away["count"] += 1
            away["who"].append(number)
            charge(env, "away", 2.0)
            return
        began = env.now
        with door.request() as turn:
            yield turn
            waits.append(env.now - began)
            charge(env, "wait", waits[-1])
            yield duration(env, "visit", number, exponential(0.5))

    for number in itertools.count():
        yield duration(env, "arrival", number, exponential(1.0))
        env.process(visitor(number))


Bill, Tank, Jobs, Counting = map(process_model, (late_bill, tank, jobs, counting))


@pytest.mark.parametrize(
    ("process", "params"),
    [
        (Bill, {}),
        (Bill, {"monitored": True}),
        (Bill, {"noisy": True}),
        (Bill, {"monitored": True, "noisy": True}),
        (LateBill, {}),
        (Tank, {}),
    ],
)
def test_a_cost_that_comes_late_isnt_overlooked(process, params):
    found = simdistill.what_if(process, params, policy=first, futures=8, horizon=10.0)
    assert found.unsettled and "not at rest" in str(found)
    assert found.standard_error[1] >= found.mean[1] == 5.0
    longer = simdistill.what_if(process, params, policy=first, futures=8, horizon=300.0)
    true = -95.0 if process is Tank else -995.0
    assert longer.mean[1] == true


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("horizon", [2.0, 10.0])
def test_a_few_futures_in_which_something_has_come_of_it_dont_speak_for_all(horizon, seed):
    found = simdistill.what_if(Jobs, policy=first, seed=seed, futures=64, horizon=horizon)
    assert abs(found.mean[1] - (0.25 - 10.0)) < 4 * found.standard_error[1]


def test_counts_and_records_dont_keep_a_difference_from_coming_to_rest():
    found = simdistill.what_if(Counting, policy=lambda s, c: "away" if s["queue"] else "in", futures=32)
    assert not found.unsettled and found.horizon <= 240.0
    assert 0.0 < found.standard_error[1] < 0.5


def test_only_what_tells_of_the_future_differs():
    now = {"served": 7, "log": [1, 2, 3], "open": True, "stock": 5.0}
    other = {"served": 9, "log": [1, 4, 3], "open": True, "stock": 5.0}
    before = {"served": 4, "log": [1, 2], "open": True, "stock": 6.0}
    other_before = {"served": 6, "log": [1, 4], "open": True, "stock": 6.0}
    assert differ(now, other) and not differ(now, other, before, other_before)
    assert differ({**now, "open": False}, other, before, other_before)
    assert differ({**now, "stock": 4.0}, other, {**before, "stock": 5.0}, other_before)
    assert differ({**now, "log": [1, 2]}, other, before, other_before)
    assert not differ(math.nan, math.nan) and differ(1, "1") and differ([1], [1, 2])


def test_a_memory_holds_variables_attributes_and_closures_and_changes_nothing():
    class Held(ProcessModel):
        def build(self):
            self.itself, self.table = self, {("a", 1): np.zeros(2), "ids": {3, 1}}
            limit = 4
            self.rule = lambda: limit
            self.env.process(self.run())

        def run(self):
            local = simpy.Store(self.env)
            while True:
                yield self.env.timeout(1.0) | local.get()

        def observe(self, decision):
            return {"n": 0}

    model, other = Held(), Held(world=(9,))
    for one in (model, other):
        one.advance(3.5)
    memory = memory_of(model)
    assert memory == memory_of(model) and not differ(memory, memory_of(other))
    own = memory[0]
    assert own["'rule'"][1] == 4 and own["'table'"]["('a', 1)"] == [0.0, 0.0] and own["'itself'"] == "seen"
    assert ".local" in str(memory[1])
    model.table["ids"].add(7)
    assert differ(memory_of(model), memory)
