"""A tandem of five stations: an idiomatic and a lean process model, and models in Ciw and salabim."""

import itertools
from collections import deque

import simpy
from bare_queueing import PATH

from simdistill.simulation import ProcessModel, exponential

STATIONS, ARRIVALS, SERVICE = 5, 1.0, 1.25


class Tandem(ProcessModel):
    """Five single servers in a row, with one SimPy process per job, as in SimPy's tutorial."""

    def build(self):
        self.stations = [simpy.Resource(self.env) for _ in range(STATIONS)]
        self.between, self.service = exponential(1 / ARRIVALS), exponential(1 / SERVICE)
        self.env.process(self.arrivals())

    def arrivals(self):
        for job in itertools.count():
            yield self.duration("arrival", job, self.between)
            self.env.process(self.visit(job))

    def visit(self, job: int):
        came = self.env.now
        for number, station in enumerate(self.stations):
            with station.request() as turn:
                yield turn
                yield self.duration("service", job, self.service, visit=number)
        self.tally("time_in_system", self.env.now - came)


class LeanTandem(ProcessModel):
    """Five single servers in a row, with one SimPy process per server."""

    def build(self):
        self.waiting: list[deque] = [deque() for _ in range(STATIONS)]
        self.idle: list[simpy.Event | None] = [None] * STATIONS
        for station in range(STATIONS):
            self.env.process(self.serve(station))
        self.env.process(self.arrivals())

    def arrivals(self):
        for job in itertools.count():
            yield self.duration("arrival", job, exponential(1 / ARRIVALS))
            self.join(0, (job, self.env.now))

    def join(self, station: int, job: tuple[int, float]):
        self.waiting[station].append(job)
        idle = self.idle[station]
        if idle is not None:
            self.idle[station] = None
            idle.succeed()

    def serve(self, station: int):
        waiting, service = self.waiting[station], exponential(1 / SERVICE)
        while True:
            if not waiting:
                self.idle[station] = idle = self.env.event()
                yield idle
            yield self.duration("service", waiting[0][0], service, visit=station)
            job = waiting.popleft()
            if station + 1 < STATIONS:
                self.join(station + 1, job)
            else:
                self.tally("time_in_system", self.env.now - job[1])


def tandem(model: type[ProcessModel], horizon: float) -> None:
    model({}, PATH).advance(horizon)


def ciw_tandem(horizon: float) -> None:
    import ciw
    import ciw.dists

    stations = range(STATIONS)
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(ARRIVALS), *[None] * (STATIONS - 1)],
        service_distributions=[ciw.dists.Exponential(SERVICE) for _ in stations],
        number_of_servers=[1] * STATIONS,
        routing=[[float(j == i + 1) for j in stations] for i in stations],
    )
    ciw.seed(1)
    ciw.Simulation(network).simulate_until_max_time(horizon)


def salabim_tandem(horizon: float) -> None:
    import salabim

    salabim.yieldless(False)

    class Job(salabim.Component):
        def process(self):
            for station in stations:
                yield self.request(station)
                yield self.hold(service.sample())
                self.release(station)

    env = salabim.Environment(random_seed=1, trace=False, yieldless=False)
    stations = [salabim.Resource(f"station {n}") for n in range(STATIONS)]
    service = salabim.Exponential(1 / SERVICE)
    salabim.ComponentGenerator(Job, iat=salabim.Exponential(1 / ARRIVALS))
    env.run(till=horizon)
