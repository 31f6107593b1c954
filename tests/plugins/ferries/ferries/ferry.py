"""The ferry: cars arrive, and the captain goes with those that wait or waits for more."""

import itertools
from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import Field, PositiveFloat

from simdistill import Decision, Parameters, ProcessModel, exponential
from simdistill.simulation import Policy


def at_once(state: dict, choices: Sequence[str]) -> str:
    """Goes with the first car."""
    return "go" if "go" in choices else choices[0]


def with_four(state: dict, choices: Sequence[str]) -> str:
    """Goes when four cars wait."""
    return "go" if state["waiting"] >= 4 else "wait"


class Ferry(ProcessModel):
    """A ferry that goes with the cars that wait, or waits for more."""

    class Params(Parameters):
        """What may differ from run to run."""

        arrival_rate: PositiveFloat = Field(0.5, description="cars per minute")
        crossing: PositiveFloat = Field(4.0, description="minutes there and back")
        fuel: PositiveFloat = Field(6.0, description="cost of a crossing")

    policies: ClassVar[Mapping[str, Policy]] = {"at_once": at_once, "with_four": with_four}
    max_choices = 2

    def build(self):
        self.waiting = 0
        self.came = self.env.event()
        self.count()
        self.env.process(self.cars())
        self.env.process(self.ferry())

    def cars(self):
        between = exponential(1 / self.params.arrival_rate)
        for car in itertools.count():
            yield self.duration("car", car, between)
            self.waiting += 1
            self.count()
            self.came.succeed()
            self.came = self.env.event()

    def ferry(self):
        while True:
            if not self.waiting:
                yield self.came
            if (yield self.decide("Go now?", {"go": True, "wait": False})):
                self.charge("fuel", self.params.fuel)
                self.waiting = 0
                self.count()
                yield self.env.timeout(self.params.crossing)
            else:
                yield self.came

    def count(self):
        self.cost_rate("waiting", float(self.waiting))
        self.level("waiting", self.waiting)

    def observe(self, decision: Decision) -> dict:
        return {
            "arrival_rate": self.params.arrival_rate,
            "crossing": self.params.crossing,
            "fuel": self.params.fuel,
            "waiting": self.waiting,
        }
