"""Network of a depot and four shops with bootstrapped demand and simultaneous weekly orders.

Every shop reviews its stock on Monday at six; all orders of a Monday reach the depot at the same
moment, and the depot rations its pallets when they don't suffice for all. Trucks leave the depot in
the morning; their travelling time is random, and trucks break down now and then. Demand of a day is
drawn (with replacement) from the recorded demand of the same weekday. Unmet demand is lost.

Unit of time: day. Monday of the first week is day 0.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import simpy
from simdistill import adapt

# Twelve weeks of recorded demand (cases a day, a shop of average size).
RECORDED = """\
mon,tue,wed,thu,fri,sat
17,14,19,22,31,38
21,12,17,25,28,44
15,16,22,19,35,40
19,11,16,24,30,36
23,15,18,21,27,47
16,13,20,27,33,39
20,17,15,23,36,42
14,12,21,20,29,35
22,18,19,26,34,51
18,10,17,22,32,41
25,14,23,18,26,37
17,15,18,24,38,45
"""
MONDAY, SUNDAY = 0, 6


@dataclass
class Inputs:
    """Inputs of the network."""

    shops: dict[str, float] = field(
        default_factory=lambda: {"north": 1.3, "east": 1.0, "south": 0.8, "west": 0.6}
    )
    pallet: int = 24
    depot_start: int = 40
    depot_reorder: int = 26
    depot_lot: int = 48
    depot_lead_mean: float = 5.0
    order_up_to_weeks: float = 1.6
    max_pallets: int = 15
    trucks: int = 2
    travel: tuple[float, float, float] = (0.25, 0.40, 1.0)
    loading_per_pallet: float = 0.01
    truck_gap_mean: float = 25.0
    truck_repair_mean: float = 1.5
    holding_cost: float = 0.05
    lost_cost: float = 6.0
    pallet_cost: float = 8.0
    spoilage_rate: float = 0.01
    weeks: int = 26
    warm_up_weeks: int = 2


class Shop:
    """A shop with its stock and what is on its way."""

    def __init__(self, network: Network, name: str, size: float):
        self.network = network
        self.name = name
        self.size = size
        self.stock = simpy.Container(network, init=round(size * 200))
        self.on_order = 0
        self.sold = 0
        self.lost = 0
        self.stock_days = 0.0

    @property
    def position(self) -> int:
        """Stock and what is on order, in cases."""
        return int(self.stock.level) + self.on_order * self.network.inputs.pallet


class Network(simpy.Environment):
    """The network is its own environment."""

    def __init__(self, inputs: Inputs = Inputs(), seed: int = 0):
        super().__init__()
        self.inputs = inputs
        self.rng = adapt.rng(self, "network")
        rows = list(csv.DictReader(io.StringIO(RECORDED)))
        self.history = [np.array([int(row[day]) for row in rows]) for day in rows[0]]
        self.weekly_mean = float(sum(column.mean() for column in self.history))

        self.depot = simpy.Container(self, init=inputs.depot_start)
        self.depot_on_order = 0
        self.fleet = simpy.PreemptiveResource(self, capacity=inputs.trucks)
        self.orders: dict[float, list[tuple[Shop, int]]] = defaultdict(list)
        self.shops = [Shop(self, name, size) for name, size in inputs.shops.items()]
        self.reset_statistics()

        for shop in self.shops:
            self.process(self.trading(shop))
            self.process(self.reviewing(shop))
        self.process(self.dispatching())
        self.process(self.replenishing())
        self.process(self.truck_failures())

    def reset_statistics(self) -> None:
        self.stats = {"holding": 0.0, "lost_sales": 0.0, "transport": 0.0}
        self.delivery_times: list[float] = []
        self.depot_levels: list[float] = []
        self.ordered_pallets = 0
        self.short_pallets = 0
        self.preempted = 0
        for shop in self.shops:
            shop.sold = shop.lost = 0
            shop.stock_days = 0.0

    @property
    def weekday(self) -> int:
        return int(self.now) % 7

    # --- shops ------------------------------------------------------------------------------

    def trading(self, shop: Shop):
        """A day's sales at noon, a day's spoilage and holding cost at night; closed on Sundays."""
        yield self.timeout(0.5)
        while True:
            if self.weekday != SUNDAY:
                base = self.rng.choice(self.history[self.weekday])
                demand = int(self.rng.poisson(shop.size * base))
                sold = min(demand, int(shop.stock.level))
                if sold:
                    yield shop.stock.get(sold)
                shop.sold += sold
                shop.lost += demand - sold
                self.stats["lost_sales"] += self.inputs.lost_cost * (demand - sold)
                adapt.charge(self, "lost sales", self.inputs.lost_cost * (demand - sold))
            yield self.timeout(0.4)
            spoiled = int(self.rng.binomial(int(shop.stock.level), self.inputs.spoilage_rate))
            if spoiled:
                yield shop.stock.get(spoiled)
            shop.stock_days += shop.stock.level
            self.stats["holding"] += self.inputs.holding_cost * shop.stock.level
            adapt.charge(self, "holding", self.inputs.holding_cost * shop.stock.level)
            yield self.timeout(0.6)

    def reviewing(self, shop: Shop):
        """Every Monday at six: how much to order."""
        yield self.timeout(0.25)
        while True:
            target = self.inputs.order_up_to_weeks * self.weekly_mean * shop.size
            pallets = max(0, round((target - shop.position) / self.inputs.pallet))
            pallets = min(pallets, self.inputs.max_pallets)
            sizes = {"usual": pallets, "less": max(0, pallets - 2), "more": pallets + 2}
            pallets = yield adapt.decide(self, "How much?", sizes, self.seen, shop)
            if pallets:
                shop.on_order += pallets
                self.ordered_pallets += pallets
                self.orders[self.now].append((shop, pallets))
            yield self.timeout(7)

    def seen(self, shop: Shop) -> dict[str, float]:
        weeks = shop.position / (self.weekly_mean * shop.size)
        return {"weeks": round(weeks, 2), "depot": self.depot.level, "coming": self.depot_on_order}

    # --- depot and transport ------------------------------------------------------------------

    def dispatching(self):
        """An hour after the orders: ration if need be, and send the trucks in random order."""
        yield self.timeout(0.25 + 1 / 24)
        while True:
            orders = self.orders.pop(self.now - 1 / 24, None) or self.latest_orders()
            wanted = sum(pallets for _, pallets in orders)
            available = int(self.depot.level)
            shares = [pallets for _, pallets in orders]
            while sum(shares) > available:
                largest = int(np.argmax(np.array(shares) / np.array([shop.size for shop, _ in orders])))
                shares[largest] -= 1
            self.short_pallets += max(0, wanted - available)
            for index in self.rng.permutation(len(orders)):
                shop, pallets = orders[index]
                shop.on_order -= pallets - shares[index]
                if shares[index]:
                    yield self.depot.get(shares[index])
                    self.process(self.delivery(shop, shares[index]))
            yield self.timeout(7)

    def latest_orders(self) -> list[tuple[Shop, int]]:
        """All orders that have not been dispatched (times of floats need not be equal)."""
        orders = [order for time in sorted(self.orders) for order in self.orders[time]]
        self.orders.clear()
        return orders

    def delivery(self, shop: Shop, pallets: int):
        """One truck's tour; a breakdown on the way preempts it, and it goes on with the next truck."""
        start = self.now
        remaining = self.inputs.loading_per_pallet * pallets + self.rng.triangular(*self.inputs.travel)
        while remaining > 0:
            with self.fleet.request(priority=1) as truck:
                yield truck
                begun = self.now
                try:
                    yield self.timeout(remaining)
                    remaining = 0
                except simpy.Interrupt:
                    self.preempted += 1
                    remaining -= self.now - begun
        self.stats["transport"] += self.inputs.pallet_cost * pallets
        adapt.charge(self, "transport", self.inputs.pallet_cost * pallets)
        self.delivery_times.append(self.now - start)
        shop.on_order -= pallets
        yield shop.stock.put(pallets * self.inputs.pallet)

    def truck_failures(self):
        """Trucks break down, on the road or not, for ever."""
        while True:
            yield self.timeout(self.rng.exponential(self.inputs.truck_gap_mean))
            with self.fleet.request(priority=0, preempt=True) as repair:
                yield repair
                yield self.timeout(self.rng.gamma(2.0, self.inputs.truck_repair_mean / 2.0))

    def replenishing(self):
        """Continuous review at the depot, looked at every evening: lots from the factory."""
        while True:
            yield self.timeout(1)
            self.depot_levels.append(self.depot.level)
            if self.depot.level + self.depot_on_order <= self.inputs.depot_reorder:
                self.depot_on_order += self.inputs.depot_lot
                self.process(self.factory_order(self.inputs.depot_lot))

    def factory_order(self, lot: int):
        yield self.timeout(1 + self.rng.gamma(4.0, (self.inputs.depot_lead_mean - 1) / 4.0))
        self.depot_on_order -= lot
        yield self.depot.put(lot)

    # --- experiments --------------------------------------------------------------------------

    def experiment(self) -> dict[str, float]:
        """Warm-up and run; returns the key figures."""
        self.run(until=7 * self.inputs.warm_up_weeks)
        self.reset_statistics()
        self.run(until=7 * (self.inputs.warm_up_weeks + self.inputs.weeks))
        weeks = self.inputs.weeks
        sold, lost = (sum(getattr(shop, name) for shop in self.shops) for name in ("sold", "lost"))
        kpis = {f"{name}_per_week": value / weeks for name, value in self.stats.items()}
        kpis["cost_per_week"] = sum(self.stats.values()) / weeks
        kpis["fill_rate"] = sold / (sold + lost)
        kpis["sold_per_week"] = sold / weeks
        kpis["mean_stock"] = sum(shop.stock_days for shop in self.shops) / (7 * weeks)
        kpis["depot_level"] = float(np.mean(self.depot_levels))
        kpis["short_share"] = self.short_pallets / max(1, self.ordered_pallets)
        kpis["mean_delivery_time"] = float(np.mean(self.delivery_times))
        kpis["preempted_per_week"] = self.preempted / weeks
        return kpis


def usual(state, choices):
    return "usual"


Sites = adapt.process_model(Network, start="experiment", max_choices=3, policies={"usual": usual})
