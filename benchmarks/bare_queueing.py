"""The routing model written with SimPy alone, for comparisons of speed."""

import itertools
from collections import deque
from collections.abc import Sequence

import simpy

from simdistill.simulation import EPISODE, TEST, Streams, World, exponential, letters

PATH = (0, TEST, EPISODE, 1)


def first(state: dict, choices: Sequence[str]) -> str:
    """Returns the first choice: a trivial policy."""
    return choices[0]


class BareQueueing:
    """The model of `simulators/queueing.py`, written with SimPy alone.

    Random streams, statistics, observed state and policy are the same as there. The policy is called directly
    in the arrival process.
    """

    def __init__(self, arrival_rate: float, service_rates: tuple[float, ...]):
        self.env, self.world = simpy.Environment(), World(Streams(PATH))
        self.arrival_rate, self.service_rates = arrival_rate, service_rates
        self.jobs = [0] * len(service_rates)
        self.servers = dict(zip(letters(len(service_rates)), itertools.count()))
        self.choices = list(self.servers)
        self.told = {"arrival_rate": arrival_rate, "service_rates": list(service_rates)}
        self.since = [deque() for _ in service_rates]
        self.woken = [self.env.event() for _ in service_rates]
        self.area = self.changed = self.spent = self.served = 0.0
        for server in range(len(service_rates)):
            self.env.process(self.serve(server))
        self.env.process(self.arrivals())

    def arrivals(self):
        between = exponential(1 / self.arrival_rate)
        for job in itertools.count():
            yield self.env.timeout(self.world.duration("arrival", job, between, self.env.now))
            server = self.servers[first(self.observe(), self.choices)]
            self.since[server].append((job, self.env.now))
            self.change(server, +1)
            if self.jobs[server] == 1:
                self.woken[server].succeed()

    def observe(self) -> dict:
        return {**self.told, "jobs": list(self.jobs)}

    def serve(self, server: int):
        while True:
            if self.jobs[server] == 0:
                self.woken[server] = self.env.event()
                yield self.woken[server]
            now = self.env.now
            yield self.env.timeout(
                self.world.tick(f"service at {server}", self.service_rates[server], now) - now
            )
            _, since = self.since[server].popleft()
            self.spent += self.env.now - since
            self.served += 1
            self.change(server, -1)

    def change(self, server: int, jobs: int):
        self.area += sum(self.jobs) * (self.env.now - self.changed)
        self.changed = self.env.now
        self.jobs[server] += jobs
