"""Models as SimPy users write them, adapted in a few lines; some have the mistakes that users make."""

import itertools
import random
import time
from typing import Any

import numpy as np
import simpy

from simdistill import ProcessModel, exponential, gamma
from simdistill.adapt import (
    charge,
    cost_rate,
    decide,
    duration,
    final_cost,
    fingerprint,
    level,
    process_model,
)

# Sound models.


def machine_shop(env, machines: int = 4):
    """Machines break and are interrupted; the repairman, who has other jobs, is sent or not."""
    repairman = simpy.PreemptiveResource(env, capacity=1)
    broken: set[int] = set()

    def state():
        return {"broken": len(broken), "queue": len(repairman.queue)}

    def working(number):
        for part in itertools.count():
            left = 1.0
            while left > 0:
                try:
                    began = env.now
                    yield env.timeout(left)
                    left = 0.0
                except simpy.Interrupt:
                    left -= env.now - began
                    broken.add(number)
                    cost_rate(env, "broken", len(broken))
                    call = yield decide(env, "Repair it now?", ["now", "later"], state)
                    if call == "later":
                        yield duration(env, "rest", number * 100_000 + part, exponential(1.0))
                    with repairman.request(priority=1) as request:
                        yield request
                        yield duration(env, "repair", number * 100_000 + part, exponential(0.7))
                    broken.remove(number)
                    cost_rate(env, "broken", len(broken))
                    break

    def breaking(number, process):
        for breakdown in itertools.count():
            yield duration(env, "up", number * 100_000 + breakdown, exponential(5.0))
            if number not in broken:
                process.interrupt()

    for number in range(machines):
        env.process(breaking(number, env.process(working(number))))


def bank(env, mean: float = 1.0):
    """Customers renege: a customer who waits for longer than its patience leaves."""
    counter = simpy.Resource(env, capacity=1)

    def customer(number):
        line = yield decide(env, "Let in?", ["in", "away"], lambda: {"queue": len(counter.queue)})
        if line == "away":
            charge(env, "sent away", 1.0)
            return
        with counter.request() as request:
            patience = duration(env, "patience", number, exponential(2.0))
            result = yield request | patience
            if request in result:
                yield duration(env, "service", number, exponential(mean))
            else:
                charge(env, "reneged", 3.0)

    for number in itertools.count():
        yield duration(env, "arrival", number, exponential(1.0))
        env.process(customer(number))


def gas_station(env, size: float = 200.0):
    """A container of fuel; a truck is called, which takes a while."""
    tank = simpy.Container(env, size, init=size)
    coming = [0]

    def truck(number):
        coming[0] += 1
        yield duration(env, "truck", number, exponential(5.0))
        if tank.level < size:
            yield tank.put(size - tank.level)
        coming[0] -= 1

    def car(number):
        call = yield decide(
            env, "Call a truck?", ["no", "yes"], lambda: {"level": tank.level, "coming": coming[0]}
        )
        if call == "yes":
            charge(env, "truck", 5.0)
            env.process(truck(number))
        if tank.level < 30:
            charge(env, "lost", 4.0)
            return
        yield tank.get(30)

    for number in itertools.count():
        yield duration(env, "car", number, exponential(1.0))
        env.process(car(number))


def movie(env, tickets: int = 50):
    """A theatre sells until a film is sold out; then all who wait leave. It ends."""
    counter, sold_out = simpy.Resource(env, capacity=1), {"A": env.event(), "B": env.event()}
    left = dict.fromkeys(sold_out, tickets)
    final_cost(env, lambda: float(sum(left.values())))

    def goer(number):
        film = yield decide(env, "Which film?", ["A", "B"], lambda: dict(left))
        with counter.request() as turn:
            if turn not in (yield turn | sold_out[film]) or not left[film]:
                return
            left[film] -= 1
            if not left[film] and not sold_out[film].triggered:
                sold_out[film].succeed()
            yield env.timeout(0.3)

    for number in range(60):
        yield duration(env, "arrival", number, exponential(0.5))
        env.process(goer(number))


def cable(env, delay: float = 2.0):
    """A store that hands messages on after a delay; a sender chooses how to send."""
    store = simpy.Store(env)
    fingerprint(env, lambda: None)

    def latency(number, slow):
        yield duration(env, "latency", number, gamma(2.0, delay * slow))
        yield store.put((number, env.now))

    def receiver():
        while True:
            yield store.get()
            charge(env, "received", -1.0)

    env.process(receiver())
    for number in itertools.count():
        yield duration(env, "send", number, exponential(1.0))
        slow = yield decide(env, "How?", {"fast": 1, "cheap": 3}, lambda: {"waiting": len(store.items)})
        charge(env, "sent", 2.0 / slow)
        env.process(latency(number, slow))


def day_with_monitor(env, patients: int = 30):
    """A day of a clinic with a monitor and weather, which never end."""
    doctor, seen = simpy.Resource(env), []

    def monitor():
        while True:
            seen.append((env.now, len(doctor.queue)))
            level(env, "queue", len(doctor.queue))
            yield env.timeout(1.0)

    def weather():
        for day in itertools.count():
            yield duration(env, "weather", day, exponential(10.0))

    def patient(number):
        if (yield decide(env, "Treat?", ["yes", "no"], lambda: {"queue": len(doctor.queue)})) == "no":
            charge(env, "sent away", 3.0)
            return
        with doctor.request() as turn:
            yield turn
            yield duration(env, "treat", number, exponential(2.0))
            charge(env, "time", 1.0)

    env.process(monitor())
    env.process(weather())
    for number in range(patients):
        yield duration(env, "arrival", number, exponential(2.0))
        env.process(patient(number))


def sites(env, demands: tuple[float, ...] = (1.0, 1.0)):
    """Two sites ask in the same words; both are alike."""
    for name, demand in zip("AB", demands, strict=True):
        env.process(_site(env, name, demand, shown=False))


def unequal_sites(env, demands: tuple[float, ...] = (0.5, 4.0)):
    """Two sites ask in the same words, see the same, and should do different things."""
    for name, demand in zip("AB", demands, strict=True):
        env.process(_site(env, name, demand, shown=False))


def shown_sites(env, demands: tuple[float, ...] = (0.5, 4.0)):
    """Two sites ask in the same words and should do different things; the state shows which site asks."""
    for name, demand in zip("AB", demands, strict=True):
        env.process(_site(env, name, demand, shown=True))


def _site(env, name, demand, shown):
    for day in itertools.count():
        place = {"site": "AB".index(name)} if shown else {}
        order = yield decide(
            env, "Keep one?", {"no": 0, "yes": 1}, lambda p=place: {"day": 0, **p}, decider=name
        )
        yield duration(env, f"demand at {name}", day, exponential(1.0))
        charge(env, "cost", order * 2.0 if demand < 1 else (1 - order) * demand)


# Broken models.


def runs_itself(env):
    """The model still calls `env.run()`."""
    env.process(bank(env))
    env.run(until=480)


def runs_in_a_process(env):
    yield decide(env, "Begin?", ["yes", "no"], lambda: {"now": 0})
    yield env.timeout(1.0)
    charge(env, "cost", 1.0)
    env.run()


def stands_still(env):
    def polling():
        while True:
            yield env.timeout(0)

    yield decide(env, "Begin?", ["yes", "no"], lambda: {"now": 0})
    charge(env, "cost", 1.0)
    env.process(polling())


def blocks(env):
    yield decide(env, "Begin?", ["yes", "no"], lambda: {"now": 0})
    charge(env, "cost", 1.0)
    while env.now < 10:
        pass


def blocks_when_built(env):
    while True:
        pass


def blocks_in_c(env):
    yield decide(env, "Begin?", ["yes", "no"], lambda: {"now": 0})
    sum(itertools.repeat(0))


def slow(env):
    """A sound model that simulates slowly."""
    for number in itertools.count():
        yield duration(env, "arrival", number, exponential(1.0))
        time.sleep(0.001)
        if (yield decide(env, "Let in?", ["in", "away"], lambda: {"now": 0})) == "in":
            charge(env, "cost", 1.0)


def free(env):
    """A model in which nothing costs anything."""
    for number in itertools.count():
        yield duration(env, "arrival", number, exponential(1.0))
        yield decide(env, "Let in?", ["in", "away"], lambda: {"number": 0})
        cost_rate(env, "waiting", 0)


def numbered(env):
    """A model whose choices are named by patients, so that labels go on being new."""
    waiting: list[int] = []
    for number in itertools.count():
        yield duration(env, "arrival", number, exponential(1.0))
        waiting.append(number)
        if len(waiting) == 3:
            cost_rate(env, "waiting", len(waiting))
            choices = {f"patient {one}": one for one in waiting[:2]}
            one = yield decide(env, "Who?", choices, lambda: {"waiting": len(waiting)})
            charge(env, "order", waiting.index(one))
            waiting.remove(one)


def own_generator(env, seed: int = 42):
    """A model whose service times come from a random generator in a local variable."""
    rng, counter = np.random.default_rng(seed), simpy.Resource(env)

    def customer():
        if (yield decide(env, "Let in?", ["in", "away"], lambda: {"queue": len(counter.queue)})) == "away":
            charge(env, "away", 1.0)
            return
        with counter.request() as turn:
            yield turn
            yield env.timeout(rng.exponential(1.0))
            charge(env, "time", 0.5)

    for number in itertools.count():
        yield duration(env, "arrival", number, exponential(1.0))
        env.process(customer())


def seeded_everywhere(env):
    """A model that draws from Python's module `random`, seeded when the model begins."""
    random.seed(1)
    for _ in itertools.count():
        yield env.timeout(random.expovariate(1.0))
        if (yield decide(env, "Let in?", ["in", "away"], lambda: {"now": 0})) == "in":
            charge(env, "in", random.random())
        else:
            charge(env, "away", 0.5)


_rng = np.random.RandomState(3)


def shared_generator(env):
    """A model that draws from a generator of NumPy's old kind, which is in the module."""
    _rng.seed(3)
    for number in itertools.count():
        yield duration(env, "arrival", number, exponential(1.0))
        if (yield decide(env, "Let in?", ["in", "away"], lambda: {"now": 0})) == "in":
            charge(env, "in", _rng.uniform())
        else:
            charge(env, "away", 0.5)


def trace_driven(env):
    """A sound model: numbers drawn beforehand are data, and the generator isn't used any more."""
    sizes = np.random.default_rng(1).exponential(size=8).round(2)
    for number in itertools.count():
        yield duration(env, "arrival", number, exponential(1.0))
        size = float(sizes[number % len(sizes)])
        if (yield decide(env, "Let in?", ["in", "away"], lambda size=size: {"size": size})) == "in":
            charge(env, "in", size)
        else:
            charge(env, "away", 1.0)


SOUND = {
    function.__name__: function
    for function in (machine_shop, bank, gas_station, movie, cable, day_with_monitor, sites, shown_sites)
}
SOUND["trace_driven"] = trace_driven  # pyright: ignore[reportArgumentType]
MachineShop, Bank, GasStation, Movie, Cable = map(
    process_model, (machine_shop, bank, gas_station, movie, cable)
)
DayWithMonitor, Sites, UnequalSites, ShownSites = map(
    process_model, (day_with_monitor, sites, unequal_sites, shown_sites)
)
RunsItself, RunsInAProcess, StandsStill = map(process_model, (runs_itself, runs_in_a_process, stands_still))
Blocks, BlocksWhenBuilt, BlocksInC = map(process_model, (blocks, blocks_when_built, blocks_in_c))
Free, Numbered, OwnGenerator, Slow = map(process_model, (free, numbered, own_generator, slow))
SeededEverywhere, SharedGenerator, TraceDriven = map(
    process_model, (seeded_everywhere, shared_generator, trace_driven)
)


class Renamed(ProcessModel):
    """A class whose name stands for something else."""

    def build(self):
        self.env.process(self.arrivals())

    def arrivals(self):
        for number in itertools.count():
            yield self.duration("arrival", number, exponential(1.0))
            yield self.decide("Let in?", ["in", "away"])
            self.charge("cost", 1.0)

    def observe(self, decision) -> dict[str, Any]:
        return {"now": 0}


Wrapped, Renamed = Renamed, lambda: Renamed  # type: ignore[misc,assignment]
