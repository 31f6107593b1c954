"""Parallel servers, each with its own queue; a router sends every job to one of them as it arrives.

An example: arrivals 2.0 a minute, service rates 2.0 and 0.5, the queues hold 3 and 1 jobs.
Join-the-shortest-queue sends the next job to B. The optimum sends it to A: at B it would wait for a slow
server.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, PositiveFloat, model_validator
from scipy import sparse

from simdistill.exact import MarkovProcess
from simdistill.process import Decision, Parameters, Policy, ProcessModel, exponential, letters


def shortest_expected_delay(state: dict, choices: Sequence[str]) -> str:
    """Sends the job where (jobs there + 1) / service rate is least; ties go to the fastest server."""
    delays = [((n + 1) / rate, -rate) for n, rate in zip(state["jobs"], state["service_rates"], strict=True)]
    return choices[delays.index(min(delays))]


def join_shortest_queue(state: dict, choices: Sequence[str]) -> str:
    """Sends the job where the fewest jobs are; ties go to the fastest server."""
    lengths = [(n, -rate) for n, rate in zip(state["jobs"], state["service_rates"], strict=True)]
    return choices[lengths.index(min(lengths))]


class Queueing(ProcessModel):
    """Jobs arrive one by one; a router sends each to one of several servers, each with its own queue."""

    class Params(Parameters):
        arrival_rate: PositiveFloat = Field(2.0, description="jobs per minute")
        service_rates: tuple[PositiveFloat, ...] = Field(
            (2.0, 0.5), min_length=1, max_length=26, description="jobs per minute, per server"
        )
        initial_jobs: tuple[int, ...] = Field(
            (), description="jobs at each server at time 0; none if left out"
        )

        @model_validator(mode="after")
        def _one_number_per_server(self):
            if self.initial_jobs and len(self.initial_jobs) != len(self.service_rates):
                raise ValueError(
                    f"initial_jobs has {len(self.initial_jobs)} numbers for {len(self.service_rates)} servers"
                )
            if any(n < 0 for n in self.initial_jobs):
                raise ValueError(f"initial_jobs must not be negative, got {self.initial_jobs}")
            return self

        @property
        def load(self) -> float:
            """Arrival rate over total service rate; below 1 some policy keeps the queues finite."""
            return self.arrival_rate / sum(self.service_rates)

    policies: ClassVar[Mapping[str, Policy]] = {
        "shortest_expected_delay": shortest_expected_delay,
        "join_shortest_queue": join_shortest_queue,
    }

    @property
    def max_choices(self) -> int:
        return len(self.params.service_rates)

    def build(self):
        count = len(self.params.service_rates)
        self.names = letters(count)
        self.jobs = list(self.params.initial_jobs) or [0] * count
        self.woken = [self.env.event() for _ in range(count)]
        self.cost_rate("jobs in system", sum(self.jobs))
        for server in range(count):
            self.env.process(self.serve(server))
        self.env.process(self.arrivals())

    def arrivals(self):
        choices = {name: server for server, name in enumerate(self.names)}
        between = exponential(1 / self.params.arrival_rate)
        for job in itertools.count():
            yield self.duration("arrival", job, between)
            server = yield self.decide("Which server gets the next job?", choices)
            self.change(server, +1)
            if self.jobs[server] == 1:
                self.woken[server].succeed()

    def serve(self, server: int):
        while True:
            if self.jobs[server] == 0:
                self.woken[server] = self.env.event()
                yield self.woken[server]
            yield self.poisson(f"service at {self.names[server]}", self.params.service_rates[server])
            self.change(server, -1)

    def change(self, server: int, jobs: int):
        self.jobs[server] += jobs
        self.cost_rate("jobs in system", sum(self.jobs))

    def observe(self, decision: Decision) -> dict:
        return {
            "arrival_rate": self.params.arrival_rate,
            "service_rates": list(self.params.service_rates),
            "jobs": list(self.jobs),
        }

    def fingerprint(self):
        return tuple(self.jobs)

    @classmethod
    def markov(cls, params: Parameters | Mapping | None, size: int) -> MarkovProcess:
        """Returns the chain of the numbers of jobs, at most `size` at each server.

        A job sent to a full server is lost; the truncation is felt in states with a full server.
        """
        parsed: Any = cls.parse(params)
        count = len(parsed.service_rates)
        jobs_SN = np.indices((size + 1,) * count).reshape(count, -1).T
        stride_N = (size + 1) ** np.arange(count)[::-1]
        index_S = np.arange(len(jobs_SN))
        rows, columns, rates = [], [], []
        for server, rate in enumerate(parsed.service_rates):
            busy_S = jobs_SN[:, server] > 0
            rows.append(index_S[busy_S])
            columns.append(index_S[busy_S] - stride_N[server])
            rates.append(np.full(busy_S.sum(), rate))
        place = (np.concatenate(rows), np.concatenate(columns))
        fixed = {"arrival_rate": parsed.arrival_rate, "service_rates": list(parsed.service_rates)}
        return MarkovProcess(
            states=[{**fixed, "jobs": jobs} for jobs in jobs_SN.tolist()],
            labels=letters(count),
            cost_S=jobs_SN.sum(axis=1).astype(float),
            passive_SS=sparse.csr_matrix((np.concatenate(rates), place), shape=(len(jobs_SN),) * 2),
            decision_rate=parsed.arrival_rate,
            next_SC=np.where(jobs_SN < size, index_S[:, None] + stride_N, index_S[:, None]),
            boundary_S=(jobs_SN == size).any(axis=1),
        )
