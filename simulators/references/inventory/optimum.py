"""The optimal policy with lost sales, by value iteration.

Axes: S states of the stock on hand, Y amounts of stock or demand, Z lots ordered.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from simdistill.errors import InputError
from simdistill.simulators.references.inventory.backorders import best_reorder_point
from simdistill.simulators.references.inventory.demand import critical_ratio, demand, fractile, period_cost

MOST_STATES = 4_000_000
"""Largest number of states for value iteration."""


@dataclass(frozen=True, eq=False)
class Optimal:
    """The optimal policy with lost sales, as a table.

    Attributes:
        cost: Average cost per period.
        lots: Number of lots to order; one axis is the stock on hand, each further axis an order on the way,
            in lots.
        lot_size: Number of units in a lot.
    """

    cost: float
    lots: np.ndarray
    lot_size: int

    def __call__(self, state: dict, choices) -> str:
        place = (state["on_hand"], *(units // self.lot_size for units in state["on_order"]))
        return choices[self.lots[tuple(map(min, place, (n - 1 for n in self.lots.shape)))]]


@lru_cache(maxsize=32)
def optimal(params: Any) -> Optimal:
    """Finds the optimal policy with lost sales by value iteration.

    Without order costs, no order exceeds a newsvendor's order for one period, and no inventory position
    exceeds a newsvendor's for lead time + 1 periods (Zipkin 2008, On the structure of lost-sales inventory
    models), so the truncation is exact. With order costs, the truncation is widened until the optimum doesn't
    reach it.
    """
    demand_Y, ratio, lot = demand(params), critical_ratio(params), params.lot_size
    most = fractile(demand(params, params.lead_time + 1), ratio) + lot
    largest = math.ceil(fractile(demand_Y, ratio) / lot)
    if not params.order_cost:
        return _iterate(params, most, largest)
    start = best_reorder_point(params)
    most, largest = int(start.level) + most // 4, math.ceil((start.level - start.reorder + most // 4) / lot)
    while True:
        found = _iterate(params, most, largest)
        place = np.indices(found.lots.shape)
        position = place[0] + lot * place[1:].sum(axis=0)
        inside = position <= most
        if (position + lot * found.lots)[inside].max() <= most and found.lots[inside].max() < largest:
            return found
        most, largest = math.ceil(1.25 * most), math.ceil(1.25 * largest)


def _iterate(params: Any, most: int, largest: int, tolerance: float = 2e-6) -> Optimal:
    """Solves by relative value iteration over stock on hand and orders on the way (Puterman, section 8.5.4).

    Args:
        params: Parameters of the stock.
        most: Largest stock on hand; any larger stock is treated as this one.
        largest: Largest order, in lots.
        tolerance: Relative distance of the bounds of the average cost at which iteration ends.
    """
    onward = max(params.lead_time - 1, 0)
    shape = (most + 1, *(largest + 1,) * onward)
    if np.prod(shape, dtype=float) > MOST_STATES:
        raise InputError(
            f"the optimum for a lead time of {params.lead_time} needs too many states: {math.prod(shape):,}"
        )
    demand_Y = np.zeros(most + 1)
    given_Y = demand(params)[: most + 1]
    demand_Y[: len(given_Y)] = given_Y
    stock_S = np.arange(most + 1)
    gap_SS = stock_S[:, None] - stock_S
    leave_SS = np.where(gap_SS >= 0, demand_Y[np.maximum(gap_SS, 0)], 0.0)
    leave_SS[:, 0] += 1.0 - leave_SS.sum(axis=1)
    cost_S = period_cost(params, demand(params), stock_S)
    order_Z = params.order_cost * (np.arange(largest + 1) > 0)
    # With order costs the stock cycles almost periodically, so iteration converges faster for a lazy chain.
    pace = 0.8 if params.order_cost else 1.0
    values = np.zeros(shape)
    while True:
        updated = _sweep(params.lead_time, params.lot_size, leave_SS, cost_S, order_Z, values, np.min)
        change = updated - values
        low, high = change.min(), change.max()
        if high - low <= tolerance * max(1.0, abs(low)):
            break
        values = values + pace * change
        values -= values.flat[0]
    best = _sweep(params.lead_time, params.lot_size, leave_SS, cost_S, order_Z, values, np.argmin)
    return Optimal(float(low + high) / 2, best, params.lot_size)


def _sweep(
    lead_time: int,
    lot: int,
    leave_SS: np.ndarray,
    cost_S: np.ndarray,
    order_Z: np.ndarray,
    values: np.ndarray,
    least: Callable,
) -> np.ndarray:
    """Returns for every state the least cost of a period and of what follows, or the choice with this cost.

    Args:
        lead_time: Number of periods until an order arrives.
        lot: Number of units in a lot.
        leave_SS: Probability of each stock left after demand, for each stock before demand.
        cost_S: Expected cost of a period for each stock before demand.
        order_Z: Order cost for each number of lots.
        values: Value of each state at the next period.
        least: `np.min` for the cost, `np.argmin` for the choice.
    """
    size, choices = len(cost_S), len(order_Z)
    padded = np.concatenate([values, np.repeat(values[-1:], lot * (choices - 1), axis=0)])
    later = [padded[lot * z : lot * z + size] for z in range(choices)]  # values once z lots have arrived
    picking = least is np.argmin
    if lead_time == 0:
        after_S = cost_S + leave_SS @ values
        after_S = np.concatenate([after_S, np.full(lot * (choices - 1), np.inf)])
        costs_SZ = order_Z + np.stack([after_S[lot * z : lot * z + size] for z in range(choices)], axis=1)
        return least(costs_SZ, axis=1)
    if lead_time == 1:
        costs_SZ = cost_S[:, None] + order_Z + leave_SS @ np.stack(later, axis=1)
        return least(costs_SZ, axis=1)
    found = np.empty(values.shape, dtype=np.int64 if picking else float)
    for first, onward in enumerate(later):
        costs = (leave_SS @ onward.reshape(size, -1)).reshape(size, -1, choices) + order_Z
        best = least(costs, axis=-1)
        found[:, first] = (best if picking else cost_S[:, None] + best).reshape(found[:, first].shape)
    return found
