"""A small process with known answers, right or broken in ways that verification must find."""

import itertools
from pathlib import Path
from typing import Any

import pytest
from pydantic import PositiveFloat

from simdistill.errors import InputError
from simdistill.simulation import Experiment, KnownCase, Parameters, ProcessModel, exponential
from simdistill.verification.item import Budget, Item

BUDGET = Budget(0, 50_000, 50_000)


class Counter(ProcessModel):
    """One server with exponential services (M/M/1); at every arrival somebody nods."""

    class Params(Parameters):
        arrival_rate: PositiveFloat = 0.25
        service_rate: PositiveFloat = 1.0
        initial: int = 0
        loses: int = 0

    families = ("counter",)

    def build(self):
        self.line = [0.0] * self.params.initial
        self.level("in_system", len(self.line))
        self.cost_rate("customers", len(self.line))
        self.work = self.env.event()
        self.env.process(self.arrivals())
        self.env.process(self.serve())

    def arrivals(self):
        for customer in itertools.count():
            yield self.duration("arrival", customer, exponential(1 / self.params.arrival_rate))
            yield self.decide("Come in?", ["yes", "of course"], about={"customer": customer})
            self.tally("arrived", 1)
            self.log("arrival", customer=customer, desk=["A", "B"])
            if self.params.loses and customer % self.params.loses == 0:
                continue
            self.line.append(self.env.now)
            self.changed()
            if not self.work.triggered:
                self.work.succeed()

    def serve(self):
        while True:
            while not self.line:
                self.work = self.env.event()
                yield self.work
            yield self.poisson("service", self.params.service_rate)
            self.tally("time_in_system", self.env.now - self.line.pop(0))
            self.changed()

    def changed(self):
        self.level("in_system", len(self.line))
        self.cost_rate("customers", len(self.line))

    def observe(self, decision):
        return {"customers": len(self.line)}

    @classmethod
    def experiment(cls, case: KnownCase) -> Experiment:
        if "price" in case.parameters:
            raise InputError("the counter knows no prices")
        params: Any = cls.parse(case.parameters)
        load = params.arrival_rate / params.service_rate
        unstable = case.run["kind"] == "unstable"
        return Experiment(
            params=params,
            policy=lambda state, choices: choices[0],
            measures={"both": lambda replication: (replication.cost, replication.measures["in_system"])},
            solved={}
            if case.policy.get("name") == "unsolved"
            else {"mean_in_system": lambda: load / (1 - load)},
            warm_up=case.run.get("warm_up", 100.0),
            horizon=1000.0,
            growing={"growth_rate": "in_system"} if unstable else {},
            other_start=cls.parse({**case.parameters, "initial": 30}),
        )


class Parcels(ProcessModel):
    """Three parcels pass a gate, five minutes each; nothing is random."""

    families = ("parcels",)

    def build(self):
        self.env.process(self.gate())

    def gate(self):
        self.level("in_system", 3)
        self.tally("arrived", 3)
        for number in range(3):
            yield self.decide("Which next?", ["first", "second"])
            yield self.env.timeout(5)
            self.tally("time_in_system", self.env.now)
            self.level("in_system", 2 - number)

    def observe(self, decision):
        return {}

    def final_cost(self):
        return 1.0

    @classmethod
    def experiment(cls, case: KnownCase) -> Experiment:
        return Experiment(
            params=cls.parse({}),
            policy=lambda state, choices: choices[0],
            measures={"makespan": lambda replication: replication.time},
            horizon=1000.0,
            terminating=True,
        )


@pytest.fixture
def case():
    """Makes a known case of the counter."""

    def make(value, measure="mean_in_system", source="exact formula", tolerance=0.0, **changes) -> KnownCase:
        expected = {"measure": measure, "value": value, "tolerance": tolerance, "source": source}
        fields: dict[str, Any] = {
            "id": "one",
            "family": "counter",
            "parameters": {},
            "policy": {},
            "conventions": {},
            "run": {"kind": "steady_state"},
            "expected": (expected,),
            "folder": Path("."),
        }
        return KnownCase(**{**fields, **changes})

    return make


@pytest.fixture
def item(case):
    """Makes an item of the counter, or of another simulator."""

    def make(value, *arguments, simulator=Counter, budget=BUDGET, **named) -> Item:
        return Item(simulator.__name__.lower(), simulator, case(value, *arguments, **named), budget)

    return make


@pytest.fixture
def counter():
    """The simulator."""
    return Counter


@pytest.fixture
def parcels():
    """The simulator."""
    return Parcels
