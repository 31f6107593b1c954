"""Models that draw in one line."""

import simpy

from simdistill.adapt import bind, charge, cost_rate, decide, process_model, rng

BETWEEN = rng(None, "between")


def repair(env, mean: float = 5.0, python: bool = False, way: str = "plain"):
    """A machine is under repair; at time 4 somebody may replace it, which costs 8."""
    generator = rng(env, "repair", random=python)

    def length():
        if way == "sum":
            return generator.exponential(mean / 2) + generator.exponential(mean / 2)
        if way == "scaled":
            return round(0.1 + 2 * generator.exponential(mean / 2), 3)
        if way == "whole":
            return int(1 + generator.exponential(mean))
        if way == "array":
            return generator.exponential(mean, size=3)[1]
        if way == "sequence":
            return generator.wald(mean, 10.0)
        return generator.expovariate(1 / mean) if python else generator.exponential(mean)

    def mend():
        duration = length()
        try:
            yield env.timeout(duration)
            charge(env, "repair", duration)
        except simpy.Interrupt:
            charge(env, "new", 8.0)

    mending = env.process(mend())
    yield env.timeout(4.0)
    if mending.is_alive:
        choices = ["stay", "replace"]
        if (yield decide(env, "Go on?", choices, lambda: {"age": env.now})) == "replace":
            mending.interrupt()


def resumed(env):
    """A job is stopped at time 3 and goes on with its rest at time 5; at 6 it may be paid to be over."""
    generator = rng(env, "work")

    def work():
        left = generator.gamma(2.0, 4.0)
        began = env.now
        try:
            yield env.timeout(left)
        except simpy.Interrupt:
            left -= env.now - began
            yield env.timeout(2.0)
            try:
                yield env.timeout(left)
            except simpy.Interrupt:
                charge(env, "paid", 5.0)
                return
        charge(env, "lasted", env.now)

    working = env.process(work())
    yield env.timeout(3.0)
    if working.is_alive:
        working.interrupt()
    yield env.timeout(3.0)
    if working.is_alive and (yield decide(env, "Go on?", ["stay", "pay"], dict)) == "pay":
        working.interrupt()


def shown(env):
    """A job whose length is shown before it begins."""
    length = rng(env, "length").exponential(5.0)
    process = env.timeout(length)
    yield env.timeout(1.0)
    if not process.processed and (
        (yield decide(env, "Stay?", ["stay", "leave"], lambda: {"length": length})) == "stay"
    ):
        yield process
        charge(env, "waited", env.now)


def queue(env, mean: float = 1.0, early: bool = False):
    """Customers come to one clerk, and each is let in or sent away."""
    bind(env, BETWEEN)
    clerk, service = simpy.Resource(env), rng(env, "service")

    def inside():
        return clerk.count + len(clerk.queue)

    def customer(length):
        with clerk.request() as turn:
            cost_rate(env, "inside", inside())
            yield turn
            yield env.timeout(service.exponential(0.8) if length is None else length)
        cost_rate(env, "inside", inside())

    while True:
        yield env.timeout(BETWEEN.exponential(mean))
        length = service.exponential(0.8) if early else None
        if (yield decide(env, "Let in?", ["in", "away"], lambda: {"inside": inside()})) == "in":
            env.process(customer(length))
        else:
            charge(env, "sent away", 2.0)


def sorted_out(env, limit: float = 9.0, labelled: bool = False):
    """A job that takes 9 at most; whether it is a long one may be known."""
    generator, kind = rng(env, "job"), []

    def job():
        length = max(0.1, min(generator.normal(5.0, 3.0), limit))
        if labelled:
            kind.append("long" if length > 6 else "short")
        yield env.timeout(length)
        charge(env, "length", length)

    running = env.process(job())
    yield env.timeout(3.0)
    if running.is_alive:
        choices = ["stay", "leave"]
        if (yield decide(env, "Stay?", choices, lambda: {"kind": list(kind)})) == "stay":
            yield running
            charge(env, "stayed", env.now)


MODELS = repair, resumed, shown, queue, sorted_out
Repair, Resumed, Shown, Queue, SortedOut = (process_model(model) for model in MODELS)
