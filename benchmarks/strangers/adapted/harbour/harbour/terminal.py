"""The port: anchorage, vessels, quay."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import simpy
from simdistill import adapt

from harbour.registry import lookup
from harbour.settings import Settings, VesselType
from harbour.streams import Streams

Process = Generator[simpy.Event, Any, Any]


@dataclass
class Cargo:
    """A consignment's part that one vessel can carry."""

    tonnes: float
    urgent: bool
    arrival: float
    vessel: str = ""
    hours: float | None = None


class Vessel:
    """Carries one cargo after another from the anchorage to the quay."""

    def __init__(self, port: Port, kind: VesselType):
        self.port = port
        self.kind = kind
        self.jobs = simpy.FilterStore(port.env)
        self.carrying: Cargo | None = None
        self.trips = 0
        self.busy_hours = 0.0
        port.env.process(self.operate())

    @property
    def workload(self) -> int:
        """Cargoes that wait for this vessel or are on it."""
        return len(self.jobs.items) + (self.carrying is not None)

    def next_job(self):
        """Urgent cargo first, else the oldest."""
        if any(cargo.urgent for cargo in self.jobs.items):
            return self.jobs.get(lambda cargo: cargo.urgent)
        return self.jobs.get()

    def operate(self) -> Process:
        """A vessel's life."""
        env, port = self.port.env, self.port
        while True:
            cargo = self.carrying = yield self.next_job()
            begun = env.now
            yield from self.sail()
            if self.kind.deep:
                yield from port.wait_for_water()
            yield from self.unload(cargo)
            port.landed(cargo)
            yield from self.sail()
            port.spend("fuel", self.kind.fuel_cost)
            self.carrying = None
            self.trips += 1
            self.busy_hours += env.now - begun

    def sail(self) -> Process:
        rng = self.port.streams[f"sailing/{self.kind.name}"]
        yield self.port.env.timeout(self.kind.sailing_hours * rng.lognormal(-0.02, 0.2))

    def unload(self, cargo: Cargo) -> Process:
        """Crane work; storms preempt it, and it goes on where it stopped."""
        port, env = self.port, self.port.env
        noise = port.streams["cranes"].uniform(0.85, 1.15)
        remaining = noise * self.kind.unloading_factor * cargo.tonnes / port.settings.tonnes_an_hour
        while remaining > 0:
            with port.cranes.request(priority=1 if cargo.urgent else 2, preempt=False) as crane:
                yield crane
                begun = env.now
                try:
                    yield env.timeout(remaining)
                    remaining = 0.0
                except simpy.Interrupt:
                    remaining -= env.now - begun
                port.crane_hours += env.now - begun


class Port:
    """All parts of the port, put together from the plug-ins that the settings name."""

    def __init__(self, env: simpy.Environment, settings: Settings, streams: Streams):
        self.env = env
        self.settings = settings
        self.streams = streams
        self.cranes = simpy.PreemptiveResource(env, settings.cranes)
        self.water = env.event()
        self.high_water = False
        self.cargoes: list[Cargo] = []
        self.costs: dict[str, float] = {"fuel": 0.0, "delay": 0.0}
        self.crane_hours = 0.0
        self.storm_hours = 0.0
        self.vessels = [Vessel(self, kind) for kind in settings.fleet]
        self.dispatch = lookup("dispatch", settings.dispatch)
        env.process(lookup("arrivals", settings.arrivals)(self))
        for name in settings.disruptions:
            env.process(lookup("disruption", name)(self))

    def arrived(self, cargo: Cargo) -> None:
        """Assign the cargo to a vessel."""
        self.cargoes.append(cargo)
        vessel = self.dispatch(self, cargo)
        cargo.vessel = vessel.kind.name
        vessel.jobs.put(cargo)

    def landed(self, cargo: Cargo) -> None:
        cargo.hours = self.env.now - cargo.arrival
        self.spend("delay", self.settings.delay_cost[cargo.urgent] * cargo.hours)

    def spend(self, account: str, amount: float) -> None:
        self.costs[account] += amount
        adapt.charge(self.env, account, amount)

    def wait_for_water(self) -> Process:
        while not self.high_water:
            yield self.water
