"""One queue for several servers; before a slow one is used, somebody decides whether it is worth it.

An example: arrivals 0.5 a minute, service rates 1.0 and 0.2, A is busy and 2 jobs wait. Using idle B keeps
everybody at work, but its job stays five minutes. The optimum holds: A is sooner done with both.
"""

import itertools
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from simdistill.mdp import DecisionProcess
from simdistill.simulation import (
    WAIT,
    Decision,
    Experiment,
    Exponential,
    Forecast,
    KnownCase,
    Parameters,
    Policy,
    ProcessModel,
    exponential,
    letters,
)
from simdistill.simulation.distributions import Scaled, named


def fast_only(state: dict, choices: Sequence[str]) -> str:
    """Never uses a slower server than the fastest."""
    return WAIT


def use_every_server(state: dict, choices: Sequence[str]) -> str:
    """Never lets a job wait while a server is idle."""
    return choices[0]


class Threshold:
    """Uses a slower server if at least a given number of jobs wait.

    Args:
        waiting: Number of waiting jobs; if left out, the number with which the last job's wait for the
            fastest servers is as long as its service by the slower server.
    """

    def __init__(self, waiting: float | None = None):
        self.waiting = waiting

    def __call__(self, state: dict, choices: Sequence[str]) -> str:
        enough = self.waiting
        if enough is None:
            rates = state["service_rates"]
            idle = max(rate for rate, busy in zip(rates, state["busy"], strict=True) if not busy)
            enough = rates.count(max(rates)) * max(rates) / idle - 1
        return choices[0] if state["waiting"] >= enough else WAIT


class SharedQueue(ProcessModel):
    """Jobs wait in one queue, first come first served; a slower server than the fastest is used or held back.

    The fastest servers start as soon as there is a job. With equal servers nothing is decided.
    """

    decides_at = "end"

    class Params(Parameters):
        arrival_rate: PositiveFloat = Field(0.5, description="jobs per minute")
        service_rates: tuple[PositiveFloat, ...] = Field(
            (1.0, 0.2), min_length=1, max_length=26, description="work per minute, per server"
        )
        work: dict[str, Any] = Field(
            {"name": "exponential", "mean": 1.0},
            description="distribution of the work that a job brings, by name and moments",
        )
        capacity: PositiveInt | None = Field(
            None, description="jobs that there is room for, those in service included; None: no limit"
        )
        refusal_cost: NonNegativeFloat = Field(
            0.0, description="cost of a job that finds no room, in minutes of one job in the system"
        )
        initial_waiting: NonNegativeInt = Field(0, description="jobs that wait at time 0")

        @field_validator("work")
        @classmethod
        def _known(cls, work: dict[str, Any]) -> dict[str, Any]:
            if not named(work).mean > 0:
                raise ValueError(f"the mean work must be positive, got {work}")
            return work

        @model_validator(mode="after")
        def _room(self):
            if self.capacity is not None and self.capacity < len(self.service_rates):
                raise ValueError(f"capacity {self.capacity} is less than {len(self.service_rates)} servers")
            if self.capacity is not None and self.initial_waiting > self.capacity:
                raise ValueError(f"initial_waiting {self.initial_waiting} exceeds capacity {self.capacity}")
            return self

        @property
        def load(self) -> float:
            """Work that arrives over work that servers can do; below 1 some policy keeps the queue finite."""
            return self.arrival_rate * named(self.work).mean / sum(self.service_rates)

    forecasts = (Forecast("How many jobs are in the system in 10 minutes?", "in_system", 10.0, (1, 3, 6)),)
    families = ("mmck", "mg1", "slow_server")
    policies: ClassVar[Mapping[str, Policy]] = {
        "threshold": Threshold(),
        "fast_only": fast_only,
        "use_every_server": use_every_server,
    }

    def build(self):
        rates = self.params.service_rates
        work = named(self.params.work)
        self.exponential_mean = work.mean if isinstance(work, Exponential) else None
        self.service = [Scaled(work, 1 / rate) for rate in rates]
        self.names = letters(len(rates))
        self.waiting = deque((-job, 0.0) for job in range(1, self.params.initial_waiting + 1))  # job, came at
        self.serving: list[tuple[int, float] | None] = [None] * len(rates)  # job, begun at
        self.given = [self.env.event() for _ in rates]
        self.can_begin = self.env.event()
        self.note()
        for server in range(len(rates)):
            self.env.process(self.serve(server))
        self.env.process(self.dispatch())
        self.env.process(self.arrivals())

    def arrivals(self):
        between = exponential(1 / self.params.arrival_rate)
        for job in itertools.count():
            yield self.duration("arrival", job, between)
            blocked = self.params.capacity is not None and self.inside >= self.params.capacity
            self.tally("blocked", blocked)
            if blocked:
                self.charge("refused jobs", self.params.refusal_cost)
                continue
            self.tally("arrived", 1)
            self.waiting.append((job, self.env.now))
            self.note()

    def dispatch(self):
        while True:
            if not (self.waiting and None in self.serving):
                self.can_begin = self.env.event()
                yield self.can_begin
            server, *others = self.options().values()
            if others:
                about = {"job": self.waiting[0][0]}
                server = yield self.decide("Which server takes the next job?", self.options, about=about)
            job, came = self.waiting.popleft()
            self.serving[server] = (job, self.env.now)
            self.given[server].succeed((job, came))
            self.log("service begins", job=job, server=self.names[server])
            self.tally("wait", self.env.now > came)
            self.tally("wait_in_queue", self.env.now - came)
            self.note()

    def options(self) -> dict[str, int]:
        """Returns the fastest idle server, and WAIT if another server is faster."""
        rates = self.params.service_rates
        idle = [server for server, job in enumerate(self.serving) if job is None]
        fastest = max(idle, key=rates.__getitem__)
        use = {self.names[fastest]: fastest}
        return use if rates[fastest] == max(rates) else {**use, WAIT: -1}

    def serve(self, server: int):
        source, rate = f"service at {self.names[server]}", self.params.service_rates[server]
        while True:
            job, came = yield self.given[server]
            if self.exponential_mean:
                yield self.poisson(source, rate / self.exponential_mean)
            else:
                yield self.duration("service", job, self.service[server])
            self.serving[server] = None
            self.given[server] = self.env.event()
            self.tally("time_in_system", self.env.now - came)
            self.log("departure", job=job, server=self.names[server])
            self.note()

    @property
    def inside(self) -> int:
        """Number of jobs in the system."""
        return len(self.waiting) + len(self.serving) - self.serving.count(None)

    def note(self):
        """Records the numbers of jobs after a change, and wakes the dispatcher."""
        waiting, inside = len(self.waiting), self.inside
        self.cost_rate("in_system", inside)
        self.level("in_queue", waiting)
        self.level("utilisation", (inside - waiting) / len(self.serving))
        if self.waiting and None in self.serving and not self.can_begin.triggered:
            self.can_begin.succeed()

    def observe(self, decision: Decision) -> dict:
        busy = [int(job is not None) for job in self.serving]
        return {**self.known(self.params), "waiting": len(self.waiting), "busy": busy}

    @staticmethod
    def known(params: Any) -> dict:
        """Returns the parameters that the decider knows."""
        rates = {"arrival_rate": params.arrival_rate, "service_rates": list(params.service_rates)}
        limits = {"capacity": params.capacity, "refusal_cost": params.refusal_cost}
        return rates if params.capacity is None else {**rates, **limits}

    def fingerprint(self):
        if self.exponential_mean:
            return len(self.waiting), tuple(job is not None for job in self.serving)
        return tuple(job for job, _ in self.waiting), tuple(self.serving)

    @classmethod
    def markov(cls, params: Parameters | Mapping | None, size: int) -> DecisionProcess:
        """Returns the chain of waiting jobs, at most `size`, and busy servers; for exponential work."""
        from simdistill.simulators.references.shared_queue import chain

        return chain(cls.parse(params), size)

    @classmethod
    def experiment(cls, case: KnownCase) -> Experiment:
        """Returns the experiment that reproduces a known case of servers with one queue."""
        from simdistill.simulators.references.shared_queue import experiment

        return experiment(case)
