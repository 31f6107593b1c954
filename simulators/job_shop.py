"""A job shop: every job visits the machines in an order of its own; a free machine asks which job is next.

An example: at a free machine job A waits for 3 minutes of work and job B, which has most of its way still to
go, for 8. Shortest-processing-time takes A, most-work-remaining takes B. Whether it pays to take neither and
to wait for job C, which comes in a minute, no such rule can say.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from importlib.resources import files
from pathlib import Path
from typing import ClassVar, TypedDict

import numpy as np
import simpy
from pydantic import Field, NonNegativeFloat, model_validator

from simdistill.errors import InputError
from simdistill.files import read_text
from simdistill.simulation import (
    WAIT,
    Decision,
    Experiment,
    Forecast,
    KnownCase,
    Parameters,
    Policy,
    ProcessModel,
    letters,
    uniform,
)
from simdistill.simulation.distributions import interrupted
from simdistill.simulation.forms import Words
from simdistill.simulators.references.job_shop_files import Operation, Routes, parse

SHIPPED = files("simdistill.simulators.known_answers") / "job_shop"


@lru_cache
def load(instance: str) -> Routes:
    """Reads an instance from a file, or by name one that comes with simdistill, such as ft06.

    Raises:
        InputError: If there is no such file, or it has an error.
    """
    shipped = SHIPPED / f"{instance}.txt"
    path = shipped if shipped.is_file() else Path(instance)
    if not path.is_file():
        known = ", ".join(sorted(item.name.removesuffix(".txt") for item in SHIPPED.iterdir()))
        raise InputError(f"there is no instance file {instance!r}; those by name are {known}")
    return parse(read_text(str(path)), instance)


def least(state: dict, choices: Sequence[str], values: Sequence[float]) -> str:
    """Returns the waiting job with the smallest value; ties go to the first job."""
    waiting = [job for job, name in enumerate(state["jobs"]) if name in choices]
    return state["jobs"][min(waiting, key=lambda job: values[job])]


def first_come_first_served(state: dict, choices: Sequence[str]) -> str:
    """Takes the job that has been at the machine for longest (FIFO)."""
    return least(state, choices, [-waited for waited in state["waited"]])


def shortest_processing_time(state: dict, choices: Sequence[str]) -> str:
    """Takes the shortest operation (SPT)."""
    return least(state, choices, state["duration"])


def longest_processing_time(state: dict, choices: Sequence[str]) -> str:
    """Takes the longest operation (LPT)."""
    return least(state, choices, [-duration for duration in state["duration"]])


def most_work_remaining(state: dict, choices: Sequence[str]) -> str:
    """Takes the job with the most work remaining, including the operation at this machine (MWKR)."""
    return least(state, choices, [-work for work in state["work"]])


def most_operations_remaining(state: dict, choices: Sequence[str]) -> str:
    """Takes the job with the most operations remaining, including the one at this machine (MOPNR)."""
    return least(state, choices, [-count for count in state["operations"]])


RULES: Mapping[str, Policy] = {
    "FIFO": first_come_first_served,
    "SPT": shortest_processing_time,
    "LPT": longest_processing_time,
    "MWKR": most_work_remaining,
    "MOPNR": most_operations_remaining,
}


def best_of_rules(state: dict, choices: Sequence[str]) -> str:
    """Plans all remaining work with every rule, and takes the job that the best rule takes.

    It plans again at every decision, so without breakdowns it is never worse than the best single rule.
    """
    from simdistill.simulators.references.job_shop import remaining_time

    return min(RULES.values(), key=lambda rule: remaining_time(state, rule))(state, choices)


def card(operations: Sequence[Operation], working: bool) -> str:
    """Returns a job's remaining operations as machine:minutes; a star marks an operation in progress."""
    steps = [f"{machine}:{round(minutes, 3)}" for machine, minutes in operations]
    return " ".join([f"{steps[0]}*", *steps[1:]] if working else steps)


def way_to(machine: int, operations: Sequence[Operation]) -> float:
    """Returns the minutes of work before a job can reach a machine; 0 if it never will."""
    machines = [m for m, _ in operations]
    return sum(minutes for _, minutes in operations[: machines.index(machine)]) if machine in machines else 0


class Observed(TypedDict):
    """The texts of a state; its numbers say the same, except for the machines on a job's card."""

    jobs: list[Words]
    here: list[Words]
    cards: list[Words]


class JobShop(ProcessModel):
    """Machines that work on one job at a time; whichever is free while jobs wait asks for the next one."""

    decides_at = "end"

    class Params(Parameters):
        instance: str = Field(
            "",
            description="instance file, or name of a shipped one (ft06); empty: a random one per episode",
        )
        jobs: int = Field(6, ge=1, le=100, description="jobs of a random instance")
        machines: int = Field(4, ge=1, le=100, description="machines of a random instance")
        shortest: int = Field(1, ge=0, description="minutes of a random instance's shortest operation")
        longest: int = Field(10, ge=1, description="minutes of a random instance's longest operation")
        breakdown_rate: NonNegativeFloat = Field(0.0, description="breakdowns per minute of work")
        repair_time: float = Field(10.0, gt=1, description="mean of a repair, which takes whole minutes")

        @model_validator(mode="after")
        def _instance_is_sound(self):
            if self.shortest > self.longest:
                raise ValueError(f"shortest {self.shortest} is above longest {self.longest}")
            if self.instance:
                load(self.instance)
            return self

    observes: ClassVar[type] = Observed
    policies: ClassVar[Mapping[str, Policy]] = {**RULES, "best_of_rules": best_of_rules}
    forecasts = (Forecast("How many jobs are unfinished in 15 minutes?", "in_system", 15.0, (2, 4, 6)),)
    families = ("job_shop",)

    @property
    def max_choices(self) -> int:
        return len(self.routes) + 1

    def build(self):
        self.routes = load(self.params.instance) if self.params.instance else self.random_routes()
        self.names = letters(len(self.routes))
        self.done = [0] * len(self.routes)  # operations finished, per job
        self.since = [0.0] * len(self.routes)  # when the job came to its machine or, later, was started there
        self.waiting: list[set[int]] = [set() for _ in self.routes[0]]
        self.working_on: list[int | None] = [None] * len(self.waiting)
        self.arrival = [self.env.event() for _ in self.waiting]
        self.asked = 0
        self.level("in_system", len(self.routes))
        self.cost_rate("minutes until all jobs are done", 1.0)
        for job in range(len(self.routes)):
            self.tally("arrived", 1)
            self.move_on(job)
        for machine in range(len(self.waiting)):
            self.env.process(self.work(machine))

    def random_routes(self) -> Routes:
        """Draws orders of the machines and whole durations, all equally likely (Taillard, EJOR 64, 1993)."""
        p = self.params
        routes = []
        for job in range(p.jobs):
            keys = range(job * p.machines, (job + 1) * p.machines)
            order = np.argsort([self.draw("machine", key, uniform(0, 1)) for key in keys]).tolist()
            minutes = [int(self.draw("minutes", key, uniform(p.shortest, p.longest + 1))) for key in keys]
            routes.append(tuple(zip(order, minutes, strict=True)))
        return tuple(routes)

    def move_on(self, job: int):
        """Sends a job to its next machine, or out of the shop."""
        if self.done[job] < len(self.routes[job]):
            machine, _ = self.routes[job][self.done[job]]
            self.waiting[machine].add(job)
            self.log("job arrives", job=self.names[job], machine=machine)
            self.since[job] = self.env.now
            if not self.arrival[machine].triggered:
                self.arrival[machine].succeed()
            return
        self.log("job is done", job=self.names[job])
        self.since[job] = 0.0
        unfinished = sum(done < len(route) for done, route in zip(self.done, self.routes, strict=True))
        self.level("in_system", unfinished)
        self.tally("time_in_system", self.env.now)
        if not unfinished:
            self.cost_rate("minutes until all jobs are done", 0.0)
            self.tally("makespan", self.env.now)

    def work(self, machine: int):
        while True:
            if not self.waiting[machine]:
                self.arrival[machine] = self.env.event()
                yield self.arrival[machine]
            choices, about = partial(self.choices, machine), {"machine": machine}
            job = yield self.decide("Which job is next?", choices, about=about, priority=machine)
            self.waiting[machine].remove(job)
            self.working_on[machine], self.since[job] = job, self.env.now
            self.log("operation begins", job=self.names[job], machine=machine)
            yield self.operation(job)
            self.log("operation ends", job=self.names[job], machine=machine)
            self.working_on[machine] = None
            self.done[job] += 1
            self.move_on(job)

    def operation(self, job: int) -> simpy.Event:
        _, minutes = self.routes[job][self.done[job]]
        if self.params.breakdown_rate == 0.0:
            return self.env.timeout(minutes)
        key = job * len(self.waiting) + self.done[job]
        repaired = interrupted(minutes, self.params.breakdown_rate, self.params.repair_time)
        return self.duration("operation", key, repaired)

    def choices(self, machine: int) -> dict[str, int | None]:
        """Returns the jobs at a machine, and WAIT if another job may come and the shop works meanwhile."""
        self.asked = machine
        found: dict[str, int | None] = {self.names[job]: job for job in sorted(self.waiting[machine])}
        may_come = any(
            machine in dict(route[self.done[job] :])
            for job, route in enumerate(self.routes)
            if job not in self.waiting[machine]
        )
        # A machine that is still to be asked now will have to start if all before it wait.
        goes_on = any(job is not None for job in self.working_on) or any(self.waiting[machine + 1 :])
        if may_come and goes_on:
            found[WAIT] = None
        return found

    def observe(self, decision: Decision) -> dict:
        """Returns durations as planned: nobody knows of a breakdown before an operation is overdue."""
        now, machine = self.env.now, decision.about["machine"]
        working = {job for job in self.working_on if job is not None}
        rest = [list(route[done:]) for route, done in zip(self.routes, self.done, strict=True)]
        for job in working:
            rest[job][0] = (rest[job][0][0], max(0, rest[job][0][1] - (now - self.since[job])))
        here = self.waiting[machine]
        elsewhere = [[] if job in here else operations for job, operations in enumerate(rest)]
        return {
            "machine": machine,
            "jobs": self.names,
            "here": [self.names[job] for job in sorted(here)],
            "cards": [card(operations, job in working) for job, operations in enumerate(rest)],
            "duration": [operations[0][1] if job in here else 0 for job, operations in enumerate(rest)],
            "waited": [
                now - since if operations and job not in working else 0
                for job, (since, operations) in enumerate(zip(self.since, rest, strict=True))
            ],
            "work": [sum(minutes for _, minutes in operations) for operations in rest],
            "operations": [len(operations) for operations in rest],
            "comes_in": [way_to(machine, operations) for operations in elsewhere],
            "then_takes": [dict(operations).get(machine, 0) for operations in elsewhere],
        }

    def fingerprint(self):
        waiting = tuple(map(frozenset, self.waiting))
        return self.asked, tuple(self.done), tuple(self.since), waiting, tuple(self.working_on)

    @classmethod
    def experiment(cls, case: KnownCase) -> Experiment:
        from simdistill.simulators.references.job_shop import experiment

        return experiment(case)
