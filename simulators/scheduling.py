"""Servers that can serve several classes of jobs; whenever one has a choice, which class does it serve next?

An example, the N-model: server 1 serves class 1 at rate 1.0; server 2 serves class 2 at rate 1.0 and helps
with class 1 at rate 0.5. A waiting job of class 1 costs 3 a minute, one of class 2 costs 1. Helping is worth
3 × 0.5 > 1 × 1.0, so the c-mu rule always helps, and soon too little of server 2 is left. With jobs 2, 3 the
optimum lets server 2 serve class 2.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from operator import mul
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator
from scipy.optimize import linprog

from simdistill.simulation import Decision, Forecast, Parameters, Policy, ProcessModel

if TYPE_CHECKING:
    from simdistill.mdp import DecisionProcess
    from simdistill.simulation import Experiment, KnownCase

IDLE = "idle"


def rate(state: dict, job_class: int) -> float:
    """Returns the rate at which the deciding server serves a class; 0 if it can't."""
    pair = [state["server"], job_class]
    return state["service_rates"][state["skills"].index(pair)] if pair in state["skills"] else 0.0


def served(choices: Sequence[str]) -> Sequence[str]:
    """Returns the choices without idling."""
    return [choice for choice in choices if choice != IDLE]


def c_mu(state: dict, choices: Sequence[str]) -> str:
    """Serves the class whose service lowers the holding cost fastest; ties go to the lower class.

    If the job goes on to another class, the gain is only the difference of the two classes' holding costs.
    """
    cost = [0.0, *state["holding_costs"]]

    def gain(choice: str) -> float:
        job_class = int(choice)
        return (cost[job_class] - cost[state["next_classes"][job_class - 1]]) * rate(state, job_class)

    return max(served(choices), key=gain)


def maxweight(state: dict, choices: Sequence[str]) -> str:
    """Serves the class with the largest holding cost × jobs × service rate; ties go to the higher class."""

    def weight(choice: str) -> float:
        job_class = int(choice)
        cost, jobs = state["holding_costs"][job_class - 1], state["jobs"][job_class - 1]
        return cost * jobs * rate(state, job_class)

    return max(served(choices)[::-1], key=weight)


def class_first(job_class: int) -> Policy:
    """Returns the policy that serves one class first, and the others in the order of their numbers."""
    return partial(_class_first, job_class)


def _class_first(job_class: int, state: dict, choices: Sequence[str]) -> str:
    return str(job_class) if str(job_class) in choices else choices[0]


def threshold(most: int) -> Policy:
    """Returns the policy that serves the lower of its classes only while it has more than `most` jobs."""
    return partial(_threshold, most)


def _threshold(most: int, state: dict, choices: Sequence[str]) -> str:
    lower, higher = served(choices)[0], served(choices)[-1]
    return lower if state["jobs"][int(lower) - 1] > most else higher


def steps_left(state: dict, job_class: int) -> int:
    """Returns how many classes a job of this class goes through before it leaves."""
    steps = 0
    while job_class:
        job_class, steps = state["next_classes"][job_class - 1], steps + 1
    return steps


def last_buffer_first(state: dict, choices: Sequence[str]) -> str:
    """Serves the job that is nearest to leaving; ties go to the lower class."""
    return min(served(choices), key=lambda choice: steps_left(state, int(choice)))


def first_buffer_first(state: dict, choices: Sequence[str]) -> str:
    """Serves the job with the most classes still to go through; ties go to the lower class."""
    return max(served(choices), key=lambda choice: steps_left(state, int(choice)))


def first_come(state: dict, choices: Sequence[str]) -> str:
    """Serves the class whose first job has waited longest; requires the parameter `waits_seen`."""
    return max(served(choices), key=lambda choice: state["waits"][int(choice) - 1])


@lru_cache(maxsize=1024)
def _load(rates_C: tuple[float, ...], skills: tuple[tuple[int, int], ...], rates: tuple[float, ...]) -> float:
    servers = max(server for server, _ in skills)
    keeps_up = np.zeros((len(rates_C), len(skills) + 1))
    busy = np.zeros((servers, len(skills) + 1))
    busy[:, -1] = -1.0
    for column, ((server, job_class), service) in enumerate(zip(skills, rates, strict=True)):
        keeps_up[job_class - 1, column] = service
        busy[server - 1, column] = 1.0
    objective = np.eye(len(skills) + 1)[-1]
    return float(linprog(objective, busy, np.zeros(servers), keeps_up, rates_C).fun)


class Scheduling(ProcessModel):
    """Jobs of several classes, servers that can serve some of them, and routes from class to class.

    At every arrival and completion the free servers take their next classes, in the order of the servers'
    numbers; with preemptive service all servers do. Services are exponential.
    """

    decides_at = "end"

    class Params(Parameters):
        arrival_rates: tuple[NonNegativeFloat, ...] = Field(
            (1.04, 0.32), min_length=1, max_length=9, description="jobs per minute from outside, per class"
        )
        holding_costs: tuple[NonNegativeFloat, ...] = Field(
            (3.0, 1.0), description="cost per minute of a job in the system, per class"
        )
        next_classes: tuple[NonNegativeInt, ...] = Field(
            (),
            description="class that a job becomes after service, per class; 0, and so if left out: it leaves",
        )
        skills: tuple[tuple[PositiveInt, PositiveInt], ...] = Field(
            ((1, 1), (2, 1), (2, 2)), min_length=1, description="pairs (server, class that it can serve)"
        )
        service_rates: tuple[PositiveFloat, ...] = Field(
            (1.0, 0.5, 1.0), description="jobs per minute, per skill"
        )
        preemptive: bool = Field(True, description="whether a server may leave a job and resume it later")
        idling: bool = Field(False, description="whether a server may stay idle though jobs wait for it")
        waits_seen: bool = Field(
            False, description="whether the decider sees how long the first waiting job of each class waits"
        )
        initial_jobs: tuple[NonNegativeInt, ...] = Field(
            (), description="jobs of each class at time 0; none if left out"
        )

        @model_validator(mode="after")
        def _consistent(self):
            classes = len(self.arrival_rates)
            for name in ("holding_costs", "next_classes", "initial_jobs"):
                given = len(getattr(self, name))
                if given != classes and (given or name == "holding_costs"):
                    raise ValueError(f"{name} has {given} numbers for {classes} classes")
            if len(self.service_rates) != len(self.skills):
                raise ValueError(
                    f"service_rates has {len(self.service_rates)} numbers for {len(self.skills)} skills"
                )
            if len(set(self.skills)) < len(self.skills):
                raise ValueError(f"skills names a pair twice: {self.skills}")
            skilled = {job_class for _, job_class in self.skills}
            if skilled != set(range(1, classes + 1)):
                raise ValueError(f"skills must serve each class from 1 to {classes}, got {sorted(skilled)}")
            for job_class in range(1, classes + 1):
                self._leaves(job_class)
            return self

        def _leaves(self, job_class: int) -> None:
            follower = job_class
            for _ in self.arrival_rates:
                follower = self.route[follower - 1]
                if follower > len(self.arrival_rates):
                    raise ValueError(f"next_classes names class {follower} of {len(self.arrival_rates)}")
                if not follower:
                    return
            raise ValueError(f"next_classes never lets a job of class {job_class} leave")

        @property
        def route(self) -> tuple[int, ...]:
            """Class that a job has after service, per class; 0 if it leaves."""
            return self.next_classes or (0,) * len(self.arrival_rates)

        @property
        def total_rates(self) -> tuple[float, ...]:
            """Number of jobs per minute that enter each class, from outside and from other classes."""
            totals = [0.0] * len(self.arrival_rates)
            for job_class, arrivals in enumerate(self.arrival_rates, 1):
                while job_class:
                    totals[job_class - 1] += arrivals
                    job_class = self.route[job_class - 1]
            return tuple(totals)

        @property
        def load(self) -> float:
            """Least share of time that the busiest server must work; below 1 some policy is stable.

            The static planning problem of Harrison (Annals of Applied Probability 8, 1998), a linear program.
            """
            return _load(self.total_rates, self.skills, self.service_rates)

    policies: ClassVar[Mapping[str, Policy]] = {
        "c_mu": c_mu,
        "maxweight": maxweight,
        "threshold": threshold(4),
        "class_1_first": class_first(1),
        "class_2_first": class_first(2),
        "last_buffer_first": last_buffer_first,
        "first_buffer_first": first_buffer_first,
    }
    forecasts = (Forecast("How many jobs are in the system in 10 minutes?", "in_system", 10.0, (3, 6, 12)),)
    families = ("two_class", "criss_cross", "n_model", "rybko_stolyar")

    @property
    def max_choices(self) -> int:
        return len(self.params.arrival_rates) + self.params.idling

    def build(self):
        params = self.params
        classes, servers = len(params.arrival_rates), max(server for server, _ in params.skills)
        # Classes and servers count from 1; class 0 is nothing to do. Jobs are (came to the system, to the
        # class), those in service first.
        self.jobs: list[deque[tuple[float, float]]] = [deque() for _ in range(classes + 1)]
        self.numbers: list[deque[int]] = [deque() for _ in self.jobs]  # the same jobs, in logs
        self.entered = 0
        self.serving, self.asked = [0] * (servers + 1), 0
        self.rates = dict(sorted(zip(params.skills, params.service_rates, strict=True)))
        self.costs_C = (0.0, *params.holding_costs)
        self.changed = self.env.event()
        for job_class, jobs in enumerate(params.initial_jobs, 1):
            self.jobs[job_class].extend([(0.0, 0.0)] * jobs)
            self.numbers[job_class].extend(self.next_number() for _ in range(jobs))
        for job_class in range(1, classes + 1):
            self.change(job_class)
        self.env.process(self.dispatch())
        for job_class, arrivals in enumerate(params.arrival_rates, 1):
            if arrivals:
                self.env.process(self.arrive(job_class, arrivals))
        for server in range(1, servers + 1):
            slower = 0.0
            for speed in sorted({rate for (who, _), rate in self.rates.items() if who == server}):
                self.env.process(self.work(server, speed, speed - slower))
                slower = speed

    def arrive(self, job_class: int, arrivals: float):
        while True:
            yield self.poisson(f"arrivals of class {job_class}", arrivals)
            self.tally("arrived", 1)
            number = self.next_number()
            self.log("job arrives", job=number)
            self.enter(job_class, self.env.now, number)

    def work(self, server: int, speed: float, points: float):
        """Completes the jobs that a server serves at rate `speed` or faster.

        An exponential service doesn't remember its age, so completions are points of clocks that count only
        while a job is served: preemption needs no interrupt. A class served at rate r completes at the points
        of all clocks up to r, so that two branches of a what-if stay together whatever they serve.
        """
        while True:
            yield self.poisson(f"server {server} at {speed}", points)
            if self.rates.get((server, self.serving[server]), 0.0) >= speed:
                self.complete(server)

    def dispatch(self):
        while True:
            if self.params.preemptive:
                self.serving = [0] * len(self.serving)
            for server in range(1, len(self.serving)):
                self.asked = server
                if not self.serving[server]:
                    yield from self.take(server)
            self.changed = self.env.event()
            yield self.changed

    def take(self, server: int):
        choices = {str(c): c for who, c in self.rates if who == server and self.waiting(c)}
        if choices and self.params.idling:
            choices[IDLE] = 0
        if len(choices) > 1:
            job_class = yield self.decide("Which class next?", choices, about={"server": server})
        else:
            job_class = sum(choices.values())
        if job_class and not self.params.preemptive:
            self.tally(f"wait_in_queue_class_{job_class}", self.wait(job_class))
        self.serving[server] = job_class

    def complete(self, server: int):
        job_class, self.serving[server] = self.serving[server], 0
        (came, entered), number = self.jobs[job_class].popleft(), self.numbers[job_class].popleft()
        self.log("service ends", job=number, server=server, **{"class": job_class})
        self.tally(f"time_in_system_class_{job_class}", self.env.now - entered)
        self.change(job_class)
        follower = self.params.route[job_class - 1]
        if follower:
            self.enter(follower, came, number)
        else:
            self.log("job leaves", job=number)
            self.tally("time_in_system", self.env.now - came)

    def next_number(self) -> int:
        self.entered += 1
        return self.entered

    def enter(self, job_class: int, came: float, number: int):
        self.tally(f"arrived_class_{job_class}", 1)
        self.log("job joins a class", job=number, **{"class": job_class})
        self.jobs[job_class].append((came, self.env.now))
        self.numbers[job_class].append(number)
        self.change(job_class)

    def change(self, job_class: int):
        self.level(f"in_system_class_{job_class}", len(self.jobs[job_class]))
        self.level("in_system", sum(map(len, self.jobs)))
        self.cost_rate("holding", sum(map(mul, self.costs_C, map(len, self.jobs))))
        if not self.changed.triggered:
            self.changed.succeed()

    def waiting(self, job_class: int) -> int:
        return len(self.jobs[job_class]) - self.serving.count(job_class)

    def wait(self, job_class: int) -> float:
        """Returns the waiting time of the first waiting job of a class; 0 if there is none."""
        if not self.waiting(job_class):
            return 0.0
        return self.env.now - self.jobs[job_class][self.serving.count(job_class)][1]

    def observe(self, decision: Decision) -> dict:
        params = self.params
        state = {
            "arrival_rates": list(params.arrival_rates),
            "holding_costs": list(params.holding_costs),
            "next_classes": list(params.route),
            "skills": [list(pair) for pair in params.skills],
            "service_rates": list(params.service_rates),
            "jobs": [len(jobs) for jobs in self.jobs[1:]],
            "serving": self.serving[1:],
            "server": self.asked,
        }
        if params.waits_seen:
            state["waits"] = [self.wait(job_class) for job_class in range(1, len(self.jobs))]
        return state

    def fingerprint(self):
        entered = tuple(map(tuple, self.jobs)) if self.params.waits_seen else tuple(map(len, self.jobs))
        return entered, tuple(self.serving), self.asked

    @classmethod
    def experiment(cls, case: "KnownCase") -> "Experiment":
        from simdistill.simulators.references.scheduling.cases import experiment

        return experiment(case)

    @classmethod
    def markov(cls, params: Parameters | Mapping | None, size: int) -> "DecisionProcess":
        """Returns the process with at most `size` jobs in the system; further jobs are lost."""
        from simdistill.simulators.references.scheduling.network import markov

        return markov(cls.parse(params), size)
