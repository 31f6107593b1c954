"""The Beer Game on its board (Sterman, Management Science 35, 1989, appendix)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass
class Box:
    """One stage of the Beer Game's board; amounts are in cases, lists have an entry per week of delay."""

    stock: float
    on_order: float
    in_transit: list[float]
    order_slips: list[float]
    backlog: float = 0.0
    cost: float = 0.0


def board(
    given: Mapping[str, Any], order: Callable[[int, Box, float], float], fixed_weeks: int = 0
) -> list[float]:
    """Plays the Beer Game week by week as on its board (Sterman, Management Science 35, 1989, appendix).

    Args:
        given: Parameters, as in the known cases.
        order: Function of a stage, its box and the order just received that returns the stage's order.
        fixed_weeks: Number of weeks at the beginning in which each stage orders the initial flow.

    Returns:
        Cost of each stage.
    """
    flow, stages = given["initial_pipeline"], range(given["stages"])
    holding_costs, backlog_costs = (per_stage(given, name) for name in ("holding_cost", "backlog_cost"))
    boxes = [
        Box(stock, on_order, [flow] * given["shipping_delay"], [flow] * (given["order_delay"] + 1))
        for stock, on_order in zip(
            per_stage(given, "initial_inventory"), initial_on_order(given), strict=True
        )
    ]
    boxes[-1].in_transit, boxes[-1].order_slips = [flow] * given["production_delay"], [flow]
    for week in range(1, given["weeks"] + 1):
        for box in boxes:
            arrived = box.in_transit.pop(0)
            box.stock, box.on_order = box.stock + arrived, box.on_order - arrived
        got = [_demand(given, week), *(box.order_slips.pop(0) for box in boxes)]
        for stage in stages:
            box, due = boxes[stage], boxes[stage].backlog + got[stage]
            sent = min(box.stock, due)
            box.stock, box.backlog = box.stock - sent, due - sent
            if stage > 0:
                boxes[stage - 1].in_transit.append(sent)
        boxes[-1].in_transit.append(got[-1])
        for stage in stages:
            box = boxes[stage]
            box.cost += holding_costs[stage] * box.stock + backlog_costs[stage] * box.backlog
            amount = flow if week <= fixed_weeks else order(stage, box, got[stage])
            box.order_slips.append(amount)
            box.on_order += amount
    return [box.cost for box in boxes]


def per_stage(given: Mapping[str, Any], name: str) -> list[float]:
    value = given[name]
    return list(value) if isinstance(value, Sequence) else [value] * given["stages"]


def initial_on_order(given: Mapping[str, Any]) -> list[float]:
    """Returns the amount that each stage counts as on order at the beginning."""
    return given.get("initial_on_order") or flowing(given)


def flowing(given: Mapping[str, Any]) -> list[float]:
    """Returns the amount on its way to each stage at the beginning, as orders and as goods."""
    between = given["order_delay"] + 1 + given["shipping_delay"]
    weeks = [between] * (given["stages"] - 1) + [1 + given["production_delay"]]
    return [given["initial_pipeline"] * time for time in weeks]


def _demand(given: Mapping[str, Any], week: int) -> float:
    return [amount for begin, amount in given["demand"] if begin <= week][-1]
