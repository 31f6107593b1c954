"""The exact cost of any policy, and the best policy of each kind."""

import math
from functools import lru_cache
from itertools import product
from typing import Any

from simdistill.errors import InputError
from simdistill.simulators.inventory import BaseStock, Constant, Inventory, ReorderPoint
from simdistill.simulators.references.inventory.backorders import (
    best_reorder_point,
    delayed_cost,
    newsvendor,
    reorder_cost,
)
from simdistill.simulators.references.inventory.chains import lost_run, waiting_run
from simdistill.simulators.references.inventory.demand import counted
from simdistill.simulators.references.inventory.myopic import Myopic
from simdistill.simulators.references.inventory.optimum import Optimal, optimal


def policy_cost(params: Any, policy: Any) -> float:
    """Returns the exact average cost per period of a policy.

    Raises:
        InputError: If there is neither a formula nor a chain for the policy, or stock or backlog grows
            without bound under it.
    """
    match policy:
        case Optimal():
            return policy.cost
        case Myopic() if params.perishable or not params.lost_sales:
            return policy_cost(params, BaseStock(newsvendor(params)))
        case Constant(units) | BaseStock(units, _) | ReorderPoint(_, units) if params.perishable:
            return delayed_cost(params, units) + params.order_cost * (units > 0)
        case Constant() if params.lead_time > 1:  # equal orders arrive every period at any lead time
            return policy_cost(params.model_copy(update={"lead_time": 1}), policy)
        case BaseStock(level, math.inf) if not params.lost_sales or params.lead_time == 0:
            return delayed_cost(params, level) + params.order_cost * (1.0 - params.distribution.cdf(0.0))
        case ReorderPoint(reorder, level) if not params.lost_sales and reorder < level:
            return reorder_cost(params, round(reorder), round(level))
    return lost_run(params, policy) if params.lost_sales else waiting_run(params, policy)


def best(name: str, params: Any) -> Any:
    """Returns the policy of a kind with the least cost.

    With lost sales and continuous demand there is no exact chain; the result is then the best policy with
    backorders.
    """
    match name:
        case "base_stock":
            return _best_base_stock(params)
        case "capped_base_stock":
            start = _best_base_stock(params)
            if not _has_chain(params) or params.lead_time == 0:
                return start
            return BaseStock(*_descend(params, BaseStock, (start.level, math.ceil(params.mean_demand) + 1)))
        case "s_S":
            return _best_reorder_point(params)
        case "constant":
            return _best_constant(params)
        case "myopic":
            return Myopic(params)
        case "optimal":
            return _optimal(params)
    raise InputError(f"no policy {name!r}; available: {', '.join(Inventory.policies)}, optimal")


def _has_chain(params: Any) -> bool:
    return params.lost_sales and not params.perishable and counted(params)


def _best_base_stock(params: Any) -> BaseStock:
    level = newsvendor(params)
    if not _has_chain(params) or params.lead_time == 0:
        return BaseStock(level)
    return BaseStock(*_descend(params, BaseStock, (level,)))


def _best_reorder_point(params: Any) -> ReorderPoint:
    if params.perishable or not counted(params):
        level = newsvendor(params)
        batch = math.sqrt(2 * params.order_cost * params.mean_demand / params.holding_cost)
        return ReorderPoint(level, level + batch)
    start = best_reorder_point(params)
    if not params.lost_sales:
        return start
    return ReorderPoint(*_descend(params, ReorderPoint, (start.reorder, start.level)))


def _best_constant(params: Any) -> Constant:
    if not _has_chain(params):
        return Constant(newsvendor(params) if params.perishable else params.mean_demand)
    most = (math.ceil(params.mean_demand) - 1) // params.lot_size * params.lot_size
    units = 0
    while units < most and _cost(params, Constant(units + params.lot_size)) < _cost(params, Constant(units)):
        units += params.lot_size
    return Constant(units)


def _optimal(params: Any) -> Any:
    if params.perishable or not params.lost_sales:
        return best_reorder_point(params) if params.order_cost else BaseStock(newsvendor(params))
    return optimal(params)


_cost = lru_cache(maxsize=4096)(policy_cost)


def _descend(params: Any, kind: type, place: tuple[float, ...]) -> tuple[float, ...]:
    """Returns locally optimal arguments of a kind of policy, by descent to neighbouring integer arguments."""
    while True:
        near = [
            tuple(map(sum, zip(place, step, strict=True))) for step in product((0, -1, 1), repeat=len(place))
        ]
        found = min(near, key=lambda arguments: _cost(params, kind(*arguments)))
        if found == place:
            return place
        place = found
