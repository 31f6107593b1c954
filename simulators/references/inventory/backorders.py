"""Exact costs and best policies with backorders, that is, if customers wait.

The inventory position is a sufficient state, as it determines the expected cost a lead time later (Zipkin,
Foundations of Inventory Management, section 6.2). The newsvendor problem is the case without lead time.
"""

import math
from itertools import count
from typing import Any

import numpy as np
from scipy import integrate

from simdistill.errors import InputError
from simdistill.simulation.distributions import Exponential, Gamma, Normal
from simdistill.simulators.inventory import ReorderPoint
from simdistill.simulators.references.inventory.demand import (
    counted,
    critical_ratio,
    demand,
    fractile,
    period_cost,
)


def _total(params: Any) -> Any:
    """Returns the distribution of continuous demand in lead time + 1 periods."""
    periods, one = params.lead_time + 1, params.distribution
    match one:
        case Normal():
            return Normal(periods * one.mean, math.sqrt(periods) * one.sd)
        case Gamma():
            return Gamma(periods * one.shape, periods * one.mean)
        case Exponential():
            return Gamma(periods, periods * one.mean)
    if periods == 1:
        return one
    raise InputError(f"there is no formula for {params.demand} demand and a lead time of {params.lead_time}")


def delayed_cost(params: Any, position: float) -> float:
    """Returns the expected cost of the period in which an order placed now arrives.

    Args:
        params: Parameters of the stock.
        position: Inventory position after the order.
    """
    if counted(params) and position == int(position):
        total_Y = demand(params, params.lead_time + 1)
        return float(period_cost(params, total_Y, np.array([int(position)]))[0])
    total = _total(params)
    lowest = min(float(total.quantile(0.0)), position)
    left = integrate.quad(total.cdf, lowest, position, epsabs=1e-9, limit=500)[0]
    return params.holding_cost * left + params.shortage_cost * (left - position + total.mean)


def newsvendor(params: Any) -> float:
    """Returns the inventory position with the least `delayed_cost`."""
    ratio = critical_ratio(params)
    return (
        fractile(demand(params, params.lead_time + 1), ratio)
        if counted(params)
        else float(_total(params).quantile(ratio))
    )


def reorder_cost(params: Any, reorder: int, level: int) -> float:
    """Returns the average cost per period of an (s, S) policy with backorders.

    Renewal reward: c(s, S) = (K + sum m(j) G(S - j)) / sum m(j) over 0 <= j < S - s, with m the renewal
    density of demand and G the `delayed_cost` (Zheng and Federgruen 1991).
    """
    reach = level - reorder
    one_Y = np.zeros(reach)
    given_Y = demand(params)[:reach]
    one_Y[: len(given_Y)] = given_Y
    visits_Y = np.zeros(reach)
    visits_Y[0] = 1.0 / (1.0 - one_Y[0])
    for j in range(1, reach):
        visits_Y[j] = one_Y[1 : j + 1] @ visits_Y[:j][::-1] / (1.0 - one_Y[0])
    costs_Y = period_cost(params, demand(params, params.lead_time + 1), level - np.arange(reach))
    return float((params.order_cost + visits_Y @ costs_Y) / visits_Y.sum())


def best_reorder_point(params: Any) -> ReorderPoint:
    """Returns the best (s, S) policy with backorders (Zheng and Federgruen 1991, Operations Research 39)."""
    least = int(newsvendor(params))
    level, reorder = least, least - 1
    while reorder_cost(params, reorder, level) > delayed_cost(params, reorder):
        reorder -= 1
    lowest = reorder_cost(params, reorder, level)
    for candidate in count(least + 1):
        if delayed_cost(params, candidate) > lowest:
            break
        if reorder_cost(params, reorder, candidate) < lowest:
            level = candidate
            while reorder_cost(params, reorder, level) <= delayed_cost(params, reorder + 1):
                reorder += 1
            lowest = reorder_cost(params, reorder, level)
    return ReorderPoint(reorder, level)
