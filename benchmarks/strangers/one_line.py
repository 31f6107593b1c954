"""Three models, each drawing in one line (`rng`) or by keys (`duration`, `draw`)."""

import itertools
from typing import Any

import simpy

from simdistill import Quantity, exponential
from simdistill.adapt import charge, cost_rate, decide, draw, duration, fingerprint, process_model, rng
from simdistill.simulation.distributions import lognormal, poisson, uniform


def admission(env, keyed: bool = False):
    """Customers come to one clerk; each is let in or sent away."""
    clerk, between, service = simpy.Resource(env), rng(env, "between"), rng(env, "service")
    inside, begun = [], [0.0]

    def customer(number):
        inside.append(number)
        cost_rate(env, "inside", len(inside))
        with clerk.request() as turn:
            yield turn
            begun[0] = env.now
            if keyed:
                yield duration(env, "service", number, exponential(0.8))
            else:
                yield env.timeout(service.exponential(0.8))
        inside.remove(number)
        cost_rate(env, "inside", len(inside))

    fingerprint(env, lambda: (tuple(inside), begun[0] if inside else 0.0))
    for number in itertools.count():
        if keyed:
            yield duration(env, "between", number, exponential(1.0))
        else:
            yield env.timeout(between.exponential(1.0))
        if (yield decide(env, "Let in?", ["in", "away"], lambda: {"inside": len(inside)})) == "in":
            env.process(customer(number))
        else:
            charge(env, "sent away", 2.0)


def routing(env, keyed: bool = False):
    """Jobs come to a fast and a slow server, whose times are lognormal."""
    servers, between, service = [simpy.Resource(env) for _ in "AB"], rng(env, "between"), rng(env, "service")
    at, begun = [[], []], [0.0, 0.0]

    def job(number, server):
        at[server].append(number)
        cost_rate(env, "inside", len(at[0]) + len(at[1]))
        with servers[server].request() as turn:
            yield turn
            begun[server] = env.now
            if keyed:
                yield duration(env, "service", number, lognormal((0.8, 1.6)[server], 0.7))
            else:
                yield env.timeout((0.8, 1.6)[server] * service.lognormal(-0.19938806, 0.63147475))
        at[server].remove(number)
        cost_rate(env, "inside", len(at[0]) + len(at[1]))

    def mark():
        return tuple(map(tuple, at)), tuple(
            since if jobs else 0.0 for since, jobs in zip(begun, at, strict=True)
        )

    fingerprint(env, mark)
    for number in itertools.count():
        if keyed:
            yield duration(env, "between", number, exponential(1.0))
        else:
            yield env.timeout(between.exponential(1.0))
        state = lambda: {"jobs": [len(jobs) for jobs in at]}  # noqa: E731
        env.process(job(number, (yield decide(env, "Which server?", {"A": 0, "B": 1}, state))))


def ordering(env, keyed: bool = False):
    """A shop orders once a day; demand is Poisson, and a delivery takes one to three days."""
    stock: list[Any] = [10]
    due = []
    demand, delay = rng(env, "demand"), rng(env, "delay")

    def delivery(day, amount):
        order = (day, amount)
        due.append(order)
        if keyed:
            yield duration(env, "delay", day, uniform(1.0, 3.0))
        else:
            yield env.timeout(delay.uniform(1.0, 3.0))
        due.remove(order)
        stock[0] += amount

    fingerprint(env, lambda: (stock[0], tuple(due)))
    for day in itertools.count():
        state = lambda: {"stock": stock[0], "due": sum(amount for _, amount in due)}  # noqa: E731
        amount = yield decide(env, "How much?", Quantity(0, 12, 4), state)
        if amount:
            charge(env, "ordered", 3.0)
            env.process(delivery(day, amount))
        yield env.timeout(1.0)
        wanted = draw(env, "demand", day, poisson(4.0)) if keyed else demand.poisson(4.0)
        charge(env, "lost", 4.0 * max(0, wanted - stock[0]))
        stock[0] = max(0, stock[0] - wanted)
        cost_rate(env, "stock", 0.2 * stock[0])


def short(state, choices):
    """Lets in up to three."""
    return choices[0] if state["inside"] < 3 else choices[1]


def faster(state, choices):
    """Sends a job where it is over first, on average."""
    a, b = state["jobs"]
    return choices[0] if 0.8 * (a + 1) <= 1.6 * (b + 1) else choices[1]


def up_to(state, choices):
    """Orders up to 14."""
    return choices[min(len(choices) - 1, max(0, (14 - state["stock"] - state["due"]) // 4))]


Admission = process_model(admission)
Routing = process_model(routing)
Ordering = process_model(ordering, max_choices=4)

MODELS = {"admission": (Admission, short), "routing": (Routing, faster), "ordering": (Ordering, up_to)}
"""Name -> model and the policy that decides."""
