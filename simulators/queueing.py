"""Parallel servers, each with its own queue; a router sends every job to one of them as it arrives.

An example: arrivals 2.0 a minute, service rates 2.0 and 0.5, the queues hold 3 and 1 jobs.
Join-the-shortest-queue sends the next job to B. The optimum sends it to A: at B it would wait for a slow
server.
"""

import itertools
import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from simdistill.mdp import MarkovProcess
from simdistill.simulation import (
    PLAN,
    TRAIN,
    Decision,
    Experiment,
    Forecast,
    KnownCase,
    Parameters,
    Policy,
    ProcessModel,
    Streams,
    exponential,
    letters,
)


def with_room(state: dict) -> list[tuple[int, float]]:
    """Returns (jobs, rate) of each server that can take a job, in the order of the choices."""
    most = state.get("capacity", math.inf)
    servers = zip(state["jobs"], state["service_rates"], strict=True)
    return [(jobs, rate) for jobs, rate in servers if rate and jobs < most]


def shortest_expected_delay(state: dict, choices: Sequence[str]) -> str:
    """Sends the job to the server with the least (jobs + 1) / service rate; ties go to the fastest server."""
    delays = [((jobs + 1) / rate, -rate) for jobs, rate in with_room(state)]
    return choices[delays.index(min(delays))]


def join_shortest_queue(state: dict, choices: Sequence[str]) -> str:
    """Sends the job to the server with the fewest jobs; ties go to the fastest server."""
    lengths = [(jobs, -rate) for jobs, rate in with_room(state)]
    return choices[lengths.index(min(lengths))]


class Threshold:
    """Sends the job to the fastest server unless another has at least `lead` jobs fewer.

    Args:
        lead: Number of jobs; if left out, the number that the fastest server serves in the mean service time
            of the other server.
    """

    def __init__(self, lead: float | None = None):
        self.lead = lead

    def __call__(self, state: dict, choices: Sequence[str]) -> str:
        servers = with_room(state)
        fastest = max(rate for _, rate in servers)
        lengths = [
            (jobs if rate == fastest else jobs + (self.lead or fastest / rate) - 0.5, -rate)
            for jobs, rate in servers
        ]
        return choices[lengths.index(min(lengths))]


class Split:
    """Sends each job to a random server.

    Args:
        shares: Function of state and choices that returns the probability of each choice.
        streams: Source of random numbers; each is drawn by the number of the decision.
    """

    def __init__(
        self, shares: Callable[[dict, Sequence[str]], Sequence[float]], streams: Streams | None = None
    ):
        self.shares, self._streams, self._count = shares, streams or Streams((0, TRAIN, PLAN)), 0

    def with_streams(self, streams: Streams) -> "Split":
        """Returns the policy at the beginning of a run with the run's own random numbers."""
        return Split(self.shares, streams)

    def __call__(self, state: dict, choices: Sequence[str]) -> str:
        self._count += 1
        reached = np.cumsum(self.shares(state, choices))
        return choices[
            int(np.searchsorted(reached[:-1], self._streams.uniform("split", self._count), "right"))
        ]

    def probabilities(self, state: dict, choices: Sequence[str]) -> Sequence[float]:
        """Returns the probability of each choice."""
        return self.shares(state, choices)


def best_split(state: dict, choices: Sequence[str]) -> tuple[float, ...]:
    """Returns the shares that keep the fewest jobs in the system without looking at the queues."""
    return _best_split(state["arrival_rate"], tuple(rate for _, rate in with_room(state)))


@lru_cache(maxsize=10_000)
def _best_split(arrival_rate: float, rates: tuple[float, ...]) -> tuple[float, ...]:
    # The servers fast enough to be used are left spare capacity in proportion to the roots of their rates
    # (Bell and Stidham, Individual versus Social Optimization in the Allocation of Customers to Alternative
    # Servers, Management Science 29, 1983).
    used = sorted(rates, reverse=True)
    while True:
        per_root = (sum(used) - arrival_rate) / sum(map(math.sqrt, used))
        if math.sqrt(used[-1]) > per_root:
            return tuple(max(0.0, rate - per_root * math.sqrt(rate)) / arrival_rate for rate in rates)
        used.pop()


class Queueing(ProcessModel):
    """Jobs arrive one by one; a router sends each to one of several servers, each with its own queue."""

    decides_at = "end"

    class Params(Parameters):
        arrival_rate: PositiveFloat = Field(2.0, description="jobs per minute")
        service_rates: tuple[NonNegativeFloat, ...] = Field(
            (2.0, 0.5),
            min_length=1,
            max_length=26,
            description="jobs per minute, per server; 0 if it's closed",
        )
        initial_jobs: tuple[int, ...] = Field(
            (), description="jobs at each server at time 0; none if left out"
        )
        capacity: PositiveInt | None = Field(
            None, description="jobs that a server has room for, the one in service included; None: no limit"
        )
        refusal_cost: NonNegativeFloat = Field(
            0.0, description="cost of a job that arrives while every server is full, in minutes of one job"
        )

        @model_validator(mode="after")
        def _consistent(self):
            if not any(self.service_rates):
                raise ValueError("service_rates are all 0: no server is open")
            if not self.initial_jobs:
                return self
            if len(self.initial_jobs) != len(self.service_rates):
                raise ValueError(
                    f"initial_jobs has {len(self.initial_jobs)} numbers for {len(self.service_rates)} servers"
                )
            if any(n < 0 for n in self.initial_jobs):
                raise ValueError(f"initial_jobs must not be negative, got {self.initial_jobs}")
            if self.capacity is not None and max(self.initial_jobs) > self.capacity:
                raise ValueError(f"initial_jobs {self.initial_jobs} are more than capacity {self.capacity}")
            if any(n and not rate for n, rate in zip(self.initial_jobs, self.service_rates, strict=True)):
                raise ValueError(f"initial_jobs {self.initial_jobs} are at a closed server, too")
            return self

        @property
        def load(self) -> float:
            """Arrival rate over total service rate; below 1 some policy keeps the queues finite."""
            return self.arrival_rate / sum(self.service_rates)

    forecasts = (Forecast("How many jobs are in the system in 10 minutes?", "in_system", 10.0, (2, 4, 7)),)
    families = ("routing",)
    policies: ClassVar[Mapping[str, Policy]] = {
        "shortest_expected_delay": shortest_expected_delay,
        "join_shortest_queue": join_shortest_queue,
        "threshold": Threshold(),
        "best_static_split": Split(best_split),
    }

    @property
    def max_choices(self) -> int:
        return len(self.params.service_rates)

    def build(self):
        count = len(self.params.service_rates)
        self.names = letters(count)
        self.open = {
            self.names[server]: server for server in range(count) if self.params.service_rates[server]
        }
        self.known_parameters = self.known(self.params)
        self.jobs = list(self.params.initial_jobs) or [0] * count
        self.since = [deque([("first", 0.0)] * jobs) for jobs in self.jobs]
        self.woken = [self.env.event() for _ in range(count)]
        self.cost_rate("in_system", sum(self.jobs))
        for server in self.open.values():
            self.env.process(self.serve(server))
        self.env.process(self.arrivals())

    def arrivals(self):
        between = exponential(1 / self.params.arrival_rate)
        for job in itertools.count():
            yield self.duration("arrival", job, between)
            choices = self.with_room()
            if self.params.capacity is not None:
                self.tally("blocked", not choices)
            if not choices:
                self.charge("refused jobs", self.params.refusal_cost)
                continue
            server = yield self.decide("Which server gets the next job?", choices, about={"job": job})
            self.since[server].append((job, self.env.now))
            self.tally("arrived", 1)
            self.change(server, +1)
            if self.jobs[server] == 1:
                self.woken[server].succeed()

    def with_room(self) -> dict[str, int]:
        most = self.params.capacity
        return self.open if most is None else {n: s for n, s in self.open.items() if self.jobs[s] < most}

    def serve(self, server: int):
        while True:
            if self.jobs[server] == 0:
                self.woken[server] = self.env.event()
                yield self.woken[server]
            yield self.poisson(f"service at {self.names[server]}", self.params.service_rates[server])
            job, since = self.since[server].popleft()
            self.tally("time_in_system", self.env.now - since)
            self.log("departure", job=job, server=self.names[server])
            self.change(server, -1)

    def change(self, server: int, jobs: int):
        self.jobs[server] += jobs
        self.cost_rate("in_system", sum(self.jobs))

    def observe(self, decision: Decision) -> dict:
        return {**self.known_parameters, "jobs": list(self.jobs)}

    @staticmethod
    def known(params: Any) -> dict:
        """Returns the parameters that the router knows."""
        rates = {"arrival_rate": params.arrival_rate, "service_rates": list(params.service_rates)}
        limits = {"capacity": params.capacity, "refusal_cost": params.refusal_cost}
        return rates if params.capacity is None else {**rates, **limits}

    def fingerprint(self):
        return tuple(self.jobs)

    @classmethod
    def markov(cls, params: Parameters | Mapping | None, size: int) -> MarkovProcess:
        """Returns the chain of the numbers of jobs, at most `size` at each server."""
        from simdistill.simulators.references.queueing import chain

        return chain(cls.parse(params), size)

    @classmethod
    def experiment(cls, case: KnownCase) -> Experiment:
        """Returns the experiment that reproduces a known case of routing."""
        from simdistill.simulators.references.queueing import experiment

        return experiment(case)
