"""What the checks say about a model with three mistakes, and what they advise."""

import itertools
from typing import ClassVar

from simdistill import ProcessModel, exponential
from simdistill.checker.check import inspect_simulator


class Door(ProcessModel):
    policies: ClassVar = {"let_in": lambda state, choices: "open"}  # mistake: the choices are yes and no

    def build(self):
        self.inside, self.lent = set(), 0
        self.env.process(self.arrivals())

    def arrivals(self):
        for visitor in itertools.count():
            yield self.duration("arrival", visitor, exponential(1.0))
            if (yield self.decide("Let in?", ["yes", "no"])) == "yes":
                self.env.process(self.visit(visitor))
            else:
                self.charge("sent away", 1.0)

    def visit(self, visitor):
        self.inside.add(visitor)
        self.lent += 1  # mistake: numbers a random duration by a count that decisions change
        yield self.duration("visit", self.lent, exponential(3.0))
        self.inside.remove(visitor)

    def observe(self, decision):
        return {"inside": self.inside}  # mistake: JSON has no sets


if __name__ == "__main__":
    for problem in inspect_simulator(Door).problems:
        print(f"{problem.check}: {problem.advice}")
