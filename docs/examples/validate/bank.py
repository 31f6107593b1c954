"""The same bank with a decision in place of the rule."""

import itertools
from typing import ClassVar

import simpy

from simdistill import ProcessModel, exponential


def shorter_line(state, choices):
    return min(choices, key=lambda clerk: state["lines"]["AB".index(clerk)])


class Bank(ProcessModel):
    policies: ClassVar = {"shorter_line": shorter_line}
    service_time = 1.0

    def build(self):
        self.clerks = {"A": simpy.Resource(self.env), "B": simpy.Resource(self.env)}
        self.served = self.inside = 0
        self.env.process(self.arrivals())

    def arrivals(self):
        for number in itertools.count():
            yield self.duration("arrival", number, exponential(1 / 1.2))
            self.env.process(self.customer(number))

    def customer(self, number):
        arrived = self.env.now
        self.count(+1)
        clerk = yield self.decide("Which line?", self.clerks)
        with clerk.request() as turn:
            yield turn
            yield self.duration("service", number, exponential(self.service_time))
        self.tally("time in bank", self.env.now - arrived)
        self.count(-1)
        self.served += 1

    def count(self, more):
        self.inside += more
        self.cost_rate("in bank", self.inside)

    def observe(self, decision):
        return {"lines": [clerk.count + len(clerk.queue) for clerk in self.clerks.values()]}

    def figures(self):
        return {"served": self.served}


class SlowBank(Bank):
    """The same with a mistake: a service takes 5% longer."""

    service_time = 1.05
