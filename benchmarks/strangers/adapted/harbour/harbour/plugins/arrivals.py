"""How cargo arrives."""

from harbour.registry import plugin
from harbour.terminal import Cargo


@plugin("arrivals", "batches")
def batches(port):
    """Poisson consignments of one to three cargoes each."""
    s = port.settings
    rng = port.streams["arrivals"]
    smallest, largest = s.consignment_sizes
    while True:
        yield port.env.timeout(rng.exponential(s.consignments_gap))
        urgent = rng.random() < s.urgent_share
        for _ in range(rng.integers(smallest, largest, endpoint=True)):
            tonnes = rng.gamma(s.tonnes_shape, s.tonnes_mean / s.tonnes_shape)
            port.arrived(Cargo(tonnes, bool(urgent), port.env.now))


@plugin("arrivals", "liner")
def liner(port):
    """A liner every twelve hours, give or take, with a Poisson number of cargoes."""
    s = port.settings
    rng = port.streams["arrivals"]
    mean = 12 * sum(s.consignment_sizes) / 2 / s.consignments_gap
    while True:
        yield port.env.timeout(12 + rng.normal(0, 0.5))
        for _ in range(rng.poisson(mean)):
            tonnes = rng.gamma(s.tonnes_shape, s.tonnes_mean / s.tonnes_shape)
            port.arrived(Cargo(tonnes, rng.random() < s.urgent_share, port.env.now))
