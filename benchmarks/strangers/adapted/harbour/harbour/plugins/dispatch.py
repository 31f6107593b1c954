"""Rules for who carries a cargo: functions of the port and the cargo that return a vessel."""

from harbour.registry import plugin
from simdistill import adapt


@plugin("dispatch", "shortest_queue")
def shortest_queue(port, cargo):
    """The vessel with the least work; the first one of equals."""
    ships = {vessel.kind.name: vessel for vessel in port.vessels}
    return adapt.choose(port.env, "Which vessel?", ships, lambda: {n: v.workload for n, v in ships.items()})


@plugin("dispatch", "cheapest_idle")
def cheapest_idle(port, cargo):
    """The idle vessel that burns least fuel; if none is idle, the shortest queue."""
    idle = [vessel for vessel in port.vessels if vessel.workload == 0]
    if idle:
        return min(idle, key=lambda vessel: vessel.kind.fuel_cost)
    return shortest_queue(port, cargo)


@plugin("dispatch", "random")
def at_random(port, cargo):
    """Any vessel; a yardstick for the others."""
    return port.vessels[port.streams["dispatch"].integers(len(port.vessels))]
