"""What nature does to a port."""

from harbour.registry import plugin


@plugin("disruption", "storms")
def storms(port):
    """Storms stop all cranes."""
    s = port.settings
    rng = port.streams["storms"]
    while True:
        yield port.env.timeout(rng.exponential(s.storm_gap))
        hours = rng.uniform(*s.storm_hours)
        port.storm_hours += hours
        stopped = [port.env.process(stop_crane(port, hours)) for _ in range(s.cranes)]
        yield port.env.all_of(stopped)


def stop_crane(port, hours):
    with port.cranes.request(priority=0) as crane:
        yield crane
        yield port.env.timeout(hours)


@plugin("disruption", "tides")
def tides(port):
    """High water twice a day; the first one comes at a random time."""
    s = port.settings
    yield port.env.timeout(port.streams["tides"].uniform(0, s.high_water_every))
    while True:
        port.high_water = True
        port.water.succeed()
        port.water = port.env.event()
        yield port.env.timeout(s.high_water_lasts)
        port.high_water = False
        yield port.env.timeout(s.high_water_every - s.high_water_lasts)
