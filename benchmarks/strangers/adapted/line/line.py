"""Production line of three stations with finite buffers, wear, breakdowns and one repair crew.

raw material -> cutter -> [buffer] -> mill -> [buffer] -> grinder -> finished goods

Stations wear while they work (gamma process with shift-dependent load). A station whose wear passes
its limit breaks down at once: the part in the machine is interrupted and resumed after a corrective
repair. Every four hours the maintenance engineer reads the sensor of the next station in turn and
decides whether to stop it for a preventive overhaul or to let it go on. The crew also looks after
other equipment of the hall; breakdowns of the line take precedence over overhauls.

Times are in hours. One experiment is four weeks of two shifts (320 hours), from new tools.
"""

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import simpy
from simdistill import adapt

rng = adapt.rng(None, "line")

BREAKDOWN, OTHER_JOB, OVERHAUL = 0, 1, 2


@dataclass(frozen=True)
class Params:
    """Configuration of the line."""

    names: tuple = ("cutter", "mill", "grinder")
    process_mode: tuple = (0.20, 0.24, 0.21)
    buffer_size: int = 8
    wear_shape_per_hour: tuple = (0.50, 0.80, 0.60)
    wear_scale: float = 1.0
    wear_step: float = 0.5
    wear_limit: float = 40.0
    overhaul_at: float = 30.0
    inspection_every: float = 4.0
    sensor_sd: float = 1.5
    overhaul_hours: tuple = (1.0, 2.0)
    repair_mean: float = 7.0
    repair_sd: float = 3.0
    overhaul_cost: float = 150.0
    repair_cost: float = 600.0
    part_value: float = 20.0
    other_jobs_gap: float = 30.0
    other_jobs_scale: float = 2.5
    horizon: float = 320.0
    report_every: float = 8.0


class Station:
    """State of one station (the behaviour is in the functions below)."""

    def __init__(self, env, index, p):
        self.env = env
        self.index = index
        self.name = p.names[index]
        self.wear = 0.0
        self.busy = False
        self.down = False
        self.made = 0
        self.breakdowns = 0
        self.overhauls = 0
        self.down_hours = 0.0
        self.busy_hours = 0.0
        self.work = None  # process of `operate`
        self.up = env.event()


class Log:
    """Everything that is measured."""

    def __init__(self):
        self.finished = 0.0
        self.maintenance_cost = 0.0
        self.levels = []
        self.shift_output = []
        self.waits_for_crew = []


def operate(env, station, source, sink, p):
    """Take a part, work on it, pass it on; interrupted by stops of the station."""
    mode = p.process_mode[station.index]
    while True:
        if source is not None:
            yield from get_part(env, station, source)
        remaining = rng.triangular(0.8 * mode, mode, 1.5 * mode)
        while remaining > 0:
            if station.down:
                yield from wait_until_up(station)
            start = env.now
            station.busy = True
            try:
                yield env.timeout(remaining)
                remaining = 0
            except simpy.Interrupt:
                remaining -= env.now - start
            station.busy = False
            station.busy_hours += env.now - start
        station.made += 1
        yield from put_part(env, station, sink)


def get_part(env, station, source):
    """Wait for a part; a stop of the station meanwhile changes nothing."""
    request = source.get(1)
    while not request.processed:
        with suppress(simpy.Interrupt):
            yield request


def put_part(env, station, sink):
    """Wait for space; the station is blocked meanwhile."""
    request = sink.put(1)
    while not request.processed:
        with suppress(simpy.Interrupt):
            yield request


def wait_until_up(station):
    while station.down:
        with suppress(simpy.Interrupt):
            yield station.up


def stop(env, station):
    """Stop the station at once."""
    station.down = True
    station.up = env.event()
    station.work.interrupt("stopped")


def start_again(station, since):
    station.down = False
    station.wear = 0.0
    station.down_hours += station.env.now - since
    station.up.succeed()


def wear_out(env, station, crew, log, p):
    """Gamma increments of wear while the station works; a breakdown when the limit is passed."""
    shape = p.wear_shape_per_hour[station.index] * p.wear_step
    while True:
        yield env.timeout(p.wear_step)
        if station.down or not station.busy:
            continue
        load = 1.2 if (env.now // 8) % 2 else 0.9  # the late shift runs harder
        station.wear += rng.gamma(shape * load, p.wear_scale)
        if station.wear >= p.wear_limit:
            env.process(break_down(env, station, crew, log, p))


def break_down(env, station, crew, log, p):
    """Corrective repair, before anything else that the crew has to do."""
    since = env.now
    station.breakdowns += 1
    stop(env, station)
    with crew.request(priority=BREAKDOWN) as req:
        yield req
        log.waits_for_crew.append(env.now - since)
        mean, sd = p.repair_mean, p.repair_sd
        sigma2 = np.log(1 + (sd / mean) ** 2)
        yield env.timeout(rng.lognormal(np.log(mean) - sigma2 / 2, np.sqrt(sigma2)))
    log.maintenance_cost += p.repair_cost
    adapt.charge(env, "repair", p.repair_cost)
    start_again(station, since)


def overhaul(env, station, crew, log, p):
    """Preventive overhaul; the station stops when the crew is there."""
    with crew.request(priority=OVERHAUL) as req:
        yield req
        if station.down:  # it broke down while it waited for the crew
            return
        since = env.now
        station.overhauls += 1
        stop(env, station)
        yield env.timeout(rng.uniform(*p.overhaul_hours))
    log.maintenance_cost += p.overhaul_cost
    adapt.charge(env, "overhaul", p.overhaul_cost)
    start_again(station, since)


def inspector(env, stations, crew, log, p):
    """Read the sensors in turn, and order an overhaul where the reading is high."""
    planned = {}
    turn = 0
    while True:
        yield env.timeout(p.inspection_every)
        station = stations[turn % len(stations)]
        turn += 1
        if station.down or (station in planned and planned[station].is_alive):
            continue
        reading = max(0.0, station.wear + rng.normal(0.0, p.sensor_sd))
        seen = {"reading": round(reading, 1), "limit": p.wear_limit, "station": station.name}
        action = yield adapt.decide(env, "Overhaul?", ["overhaul", "go on"], lambda seen=seen: seen)
        if action == "overhaul":
            planned[station] = env.process(overhaul(env, station, crew, log, p))


def other_work(env, crew, p):
    """Jobs elsewhere in the hall, for ever."""
    while True:
        yield env.timeout(rng.exponential(p.other_jobs_gap))
        with crew.request(priority=OTHER_JOB) as req:
            yield req
            yield env.timeout(p.other_jobs_scale * rng.weibull(1.8))


def monitor(env, buffers, store, log, p):
    """Levels every shift, for ever."""
    before = 0
    while True:
        yield env.timeout(p.report_every)
        log.levels.append([buffer.level for buffer in buffers])
        log.shift_output.append(store.level - before)
        before = store.level
        adapt.charge(env, "output", -p.part_value * log.shift_output[-1])


def build(env, p):
    """Set the line up; returns its stations, the store of finished goods and the log."""
    log = Log()
    stations = [Station(env, index, p) for index in range(len(p.names))]
    buffers = [simpy.Container(env, capacity=p.buffer_size) for _ in stations[:-1]]
    store = simpy.Container(env)
    crew = simpy.PriorityResource(env, capacity=1)
    sources = [None, *buffers]
    sinks = [*buffers, store]
    for station, source, sink in zip(stations, sources, sinks, strict=True):
        station.work = env.process(operate(env, station, source, sink, p))
        env.process(wear_out(env, station, crew, log, p))
    env.process(inspector(env, stations, crew, log, p))
    env.process(other_work(env, crew, p))
    env.process(monitor(env, buffers, store, log, p))
    return stations, store, log


def simulate(p: Params = Params()):
    """Run one experiment and return its results."""
    env = simpy.Environment()
    stations, store, log = build(env, p)
    env.run(until=p.horizon)
    log.finished = store.level
    lost = p.horizon / (1.1 * max(p.process_mode)) - log.finished
    results = {
        "output": float(log.finished),
        "mean_shift_output": float(np.mean(log.shift_output)),
        "mean_buffer_1": float(np.mean([row[0] for row in log.levels])),
        "mean_buffer_2": float(np.mean([row[1] for row in log.levels])),
        "breakdowns": float(sum(s.breakdowns for s in stations)),
        "overhauls": float(sum(s.overhauls for s in stations)),
        "mean_wait_for_crew": float(np.mean(log.waits_for_crew)) if log.waits_for_crew else 0.0,
        "cost": log.maintenance_cost + p.part_value * lost,
    }
    for s in stations:
        results[f"availability_{s.name}"] = 1 - s.down_hours / p.horizon
        results[f"busy_{s.name}"] = s.busy_hours / p.horizon
    return results


def by_limit(state, choices):
    return "overhaul" if state["reading"] > Params.overhaul_at else "go on"


Line = adapt.process_model(simulate, policies={"by_limit": by_limit})
