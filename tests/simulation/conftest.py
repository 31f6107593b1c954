"""Small process models for the tests of the simulation side."""

from collections.abc import Callable, Generator
from typing import Any

import pytest

from simdistill.simulation import Parameters, ProcessModel, deterministic, exponential, gamma


@pytest.fixture
def process_of():
    """Makes a process model class out of generator functions `body(model)`, each a SimPy process."""

    def make(*bodies: Callable[[Any], Generator], **attributes: Any) -> type[ProcessModel]:
        def build(self):
            self.log = []
            self.count = 0
            for body in bodies:
                self.env.process(body(self))

        def observe(self, decision):
            return {"count": self.count}

        return type("Example", (ProcessModel,), {"build": build, "observe": observe, **attributes})

    return make


class Repairs(ProcessModel):
    """A machine breaks down again and again; a job that comes meanwhile may be held, or sent away at a price.

    Repair times aren't exponential: how long one has lasted matters, and isn't observed.
    """

    class Params(Parameters):
        shape: float | None = 4.0
        mean: float = 3.0
        price: float = 2.0

    max_choices = 2

    def build(self):
        self.waiting = 0
        self.broken = False
        self.env.process(self.machine())
        self.env.process(self.jobs())

    def machine(self):
        params = self.params
        repair = deterministic(params.mean) if params.shape is None else gamma(params.shape, params.mean)
        for breakdown in range(10**9):
            yield self.duration("up", breakdown, gamma(2.0, 2.0))
            self.broken = True
            yield self.duration("repair", breakdown, repair)
            self.broken = False
            self.waiting = 0
            self.cost_rate("waiting", 0)

    def jobs(self):
        for job in range(10**9):
            yield self.duration("arrival", job, exponential(1.0))
            if self.broken:
                answer = yield self.decide("Hold it?", ["hold", "send away"], about=job)
                if answer == "hold":
                    self.waiting += 1
                    self.cost_rate("waiting", self.waiting)
                else:
                    self.charge("sent away", self.params.price)

    def observe(self, decision):
        return {"waiting": self.waiting}


@pytest.fixture
def repairs() -> type[ProcessModel]:
    return Repairs
