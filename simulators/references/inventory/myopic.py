"""The myopic policy: places the order with the least expected cost in the period in which it arrives.

Axes: Y amounts of stock or demand, Z lots ordered.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from simdistill.simulators.references.inventory.backorders import newsvendor
from simdistill.simulators.references.inventory.demand import (
    counted,
    critical_ratio,
    demand,
    fractile,
    period_cost,
)


@dataclass(frozen=True)
class Myopic:
    """Places the order with the least expected cost in the period in which it arrives."""

    params: Any

    def __call__(self, state: dict, choices) -> str:
        units = myopic_order(self.params, state["on_hand"], tuple(state["on_order"]))
        return choices[min(len(choices) - 1, round(units / self.params.lot_size))]


@lru_cache(maxsize=500_000)
def myopic_order(params: Any, on_hand: int, on_order: tuple[int, ...]) -> float:
    """Returns the number of units to order with the least expected cost in the period in which they arrive.

    With lost sales it solves a newsvendor problem whose initial stock is the random stock left when the order
    arrives (Zipkin 2008, Old and new methods for lost-sales inventory systems).
    """
    if not (params.lost_sales and counted(params)):
        return max(0, newsvendor(params) - on_hand - sum(on_order))
    demand_Y = demand(params)
    left_Y = np.eye(on_hand + 1)[on_hand]
    for arriving in (*on_order, 0)[: params.lead_time]:
        sold_Y = demand_Y[: len(left_Y)]
        kept = np.convolve(left_Y, sold_Y[::-1])[len(sold_Y) - 1 :][: len(left_Y)]
        kept[0] += 1.0 - kept.sum()
        left_Y = np.concatenate([np.zeros(arriving), kept])
    most = fractile(demand_Y, critical_ratio(params)) + params.lot_size
    stock_ZY = np.arange(0, most + 1, params.lot_size)[:, None] + np.arange(len(left_Y))
    return params.lot_size * int(np.argmin(period_cost(params, demand_Y, stock_ZY) @ left_Y))
