"""When to order, in the supply chain of multi-echelon-inventory-optimization.

    git clone https://github.com/anshul-musing/multi-echelon-inventory-optimization
    python benchmarks/strangers/multi-echelon-inventory-optimization.py multi-echelon-inventory-optimization

Each facility orders once its inventory position is at or below 1.05 times its reorder point. The adapter
makes the reorder point a question, which is put once a day and facility, and gives the module another numpy,
whose random numbers are the episode's.
"""

import csv
import math
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from public import fetched, main

from simdistill import adapt

sys.path.insert(0, str(Path(fetched("04a7a08", "simpy_3.0")) / "simpy_3.0"))
theirs: Any = import_module("simulation.simLostSales")

LOST, KEPT = 10.0, 0.02
LINKS = [(0, 1), (1, 2), (1, 3), (3, 4), (3, 5)]
LEAD_TIMES = np.array([0, 3, 4, 4, 2, 2])
REORDER_POINTS = np.array([0, 1000, 250, 200, 150, 200])
BASE_STOCKS = np.array([10000, 3000, 600, 900, 300, 600])


class Facility(theirs.stocking_facility):
    lost = 0.0

    @property
    def ROP(self):
        orders = {"order": math.inf, "not yet": -math.inf}
        return self.point if self.isSource else adapt.choose(self.env, "Order?", orders, self.seen)

    @ROP.setter
    def ROP(self, point):
        self.point = point

    @property
    def totalShipped(self):
        return self.shipped

    @totalShipped.setter
    def totalShipped(self, shipped):
        self.shipped, lost, self.lost = shipped, self.lost, self.totalDemand - shipped
        adapt.charge(self.env, "lost", LOST * (self.lost - lost))
        adapt.charge(self.env, "kept", 0.0 if self.isSource else KEPT * self.on_hand_inventory)

    def seen(self):
        stock, position = float(self.on_hand_inventory), float(self.inventory_position)
        return {
            "facility": self.name,
            "stock": stock,
            "position": position,
            "point": 1.05 * float(self.point),
        }


def chain():
    """A year of the supply chain."""
    demand, delay = adapt.rng(None, "demand"), adapt.rng(None, "delay")
    draw = lambda values, replace: (delay if values is DELAYS else demand).choice(values)  # noqa: E731
    random = SimpleNamespace(seed=lambda seed: None, choice=draw)
    theirs.np = SimpleNamespace(**{**vars(np), "random": random})
    theirs.stocking_facility = Facility
    return figures(0)


def at_point(state, choices):
    return "order" if state["position"] <= state["point"] else "not yet"


Chain = adapt.process_model(chain, policies={"at_point": at_point})


def read(name, skipped=0):
    with open(Path(theirs.__file__).parents[1] / "data" / name, encoding="utf-8") as file:
        return np.array([[float(cell) for cell in row] for row in list(csv.reader(file))[skipped:]])


DEMANDS, DELAYS = read("demandData.csv", 1), read("leadTimeExtraDays.csv")[:, 0]


def figures(seed):
    """One replication of the original."""
    network = np.zeros((6, 6))
    for link in LINKS:
        network[link] = 1
    stock = 0.9 * BASE_STOCKS
    nodes = theirs.simulate_network(
        seed, 6, network, stock, REORDER_POINTS, BASE_STOCKS, DEMANDS, LEAD_TIMES, DELAYS
    )
    served = {f"served by {node.name}": node.serviceLevel for node in nodes[1:]}
    return served | {f"stock of {node.name}": float(node.avgOnHand) for node in nodes[1:]}


if __name__ == "__main__":
    main(__file__, decision=900, replications=200)
