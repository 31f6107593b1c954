"""What supply chains are set against: Clark and Scarf's recursion, and the Beer Game on its board.

Clark and Scarf, Optimal Policies for a Multi-Echelon Inventory Problem, Management Science 6 (1960); the
long-run average as in Snyder and Shen, Fundamentals of Supply Chain Theory, section 6.2. Stages are counted
from the customer's.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
from scipy.signal import fftconvolve

from simdistill.errors import InputError
from simdistill.simulation import Experiment, KnownCase, Policy
from simdistill.simulation.distributions import Counts, Deterministic, named, of_moments
from simdistill.simulation.replication import Replication
from simdistill.simulators.supply_chain import SupplyChain, anchor_and_adjust, nearest, pass_through

CELLS_A_DEVIATION = 200
"""Cells of the grid in one standard deviation of a period's demand, where it isn't whole."""

NEGLIGIBLE = 1e-12

MEAN_ALONE = ("deterministic", "exponential", "geometric", "poisson")
"""Distributions whose mean says all."""


@dataclass(frozen=True)
class Mass:
    """Probabilities of an amount on a grid.

    Attributes:
        first: The first amount, in cells.
        probability_N: Probability of the first and the following amounts.
    """

    first: int
    probability_N: np.ndarray

    def plus(self, other: "Mass") -> "Mass":
        """Returns the distribution of an independent sum."""
        sums_N = np.clip(fftconvolve(self.probability_N, other.probability_N), 0.0, None)
        return Mass(self.first + other.first, sums_N / sums_N.sum())

    @property
    def last(self) -> int:
        return self.first + len(self.probability_N) - 1

    def before(self, values_N: np.ndarray, first: int) -> tuple[np.ndarray, int]:
        """Returns the expected value before the amount is taken away, and the cell where it begins.

        Args:
            values_N: Values of what is left, from the cell `first` on.
            first: Cell of the first value.
        """
        return fftconvolve(values_N, self.probability_N, "valid"), first + self.last


class SerialSystem:
    """Stages in a line with certain lead times, seen period by period: demand is seen, then all order.

    Each period costs the stages' echelon holding costs times their echelon stock, and the customer's backlog
    costs what it costs plus the first stage's holding cost.

    Args:
        demand: Distribution of a period's demand.
        lead_times: Periods, per stage.
        holding_costs: Per unit and period, per stage, charged for stock in transit at the sender's rate.
        backlog_cost: Per unit that the customer waits for, and period.
        fractions: Whether levels of whole demand may be fractions.
    """

    def __init__(
        self,
        demand: Any,
        lead_times: Sequence[int],
        holding_costs: Sequence[float],
        backlog_cost: float,
        fractions: bool = False,
    ):
        self.mean, self.lead_times, self.holding_costs = demand.mean, lead_times, holding_costs
        self.penalty = backlog_cost + holding_costs[0]
        self.echelon_costs = [
            h - above for h, above in zip(holding_costs, [*holding_costs[1:], 0.0], strict=True)
        ]
        self.cell, one = _gridded(demand, fractions)
        self.over_lead_time = [_over(one, time) for time in lead_times]
        everything = _over(one, sum(lead_times))
        self.highest = everything.last + 1

    def solve(self, levels: Sequence[float] | None = None) -> tuple[tuple[float, ...], float]:
        """Returns echelon base-stock levels and the cost per period under them.

        Args:
            levels: Echelon base-stock levels; None for the best ones.
        """
        highest = (
            self.highest if levels is None else max(self.highest, math.ceil(max(levels) / self.cell) + 1)
        )
        lowest = 0 if levels is None else min(0, math.floor(min(levels) / self.cell) - 1)
        first = lowest - sum(mass.last for mass in self.over_lead_time)
        left_N = np.arange(first, highest + 1) * self.cell
        values_N = -self.penalty * np.minimum(left_N, 0.0)
        found: list[float] = []
        cost = math.nan
        for stage, mass in enumerate(self.over_lead_time):
            values_N, first = mass.before(values_N, first)
            position_N = (first + np.arange(len(values_N))) * self.cell
            values_N += self.echelon_costs[stage] * (position_N - self.lead_times[stage] * self.mean)
            if levels is None:
                # Of equally good levels the least; what the transform rounds off isn't a difference.
                good_N = values_N <= values_N.min() + 1e-9 * abs(values_N.min())
                found.append(float(position_N[np.argmax(good_N)]))
            else:
                found.append(levels[stage])
            cost = float(np.interp(found[stage], position_N, values_N))
            # The next stage's shortage keeps this one below its level; above it nothing is sent.
            values_N = np.where(position_N < found[stage], values_N, cost)
        return tuple(found), cost

    @property
    def in_transit(self) -> float:
        """Cost per period of the goods on their way between stages."""
        return self.mean * sum(
            time * h for time, h in zip(self.lead_times[:-1], self.holding_costs[1:], strict=True)
        )


def _gridded(demand: Any, fractions: bool) -> tuple[float, Mass]:
    """Returns the width of a cell and a period's demand on the grid."""
    if isinstance(demand, Deterministic):
        cell = 0.01 if demand.value == round(demand.value, 2) else demand.value / 100
        return cell, Mass(round(demand.value / cell), np.ones(1))
    if isinstance(demand, Counts):
        probability_N, parts = demand.probabilities, 100 if fractions else 1
        spread_N = np.zeros((len(probability_N) - 1) * parts + 1)
        spread_N[::parts] = probability_N
        return 1.0 / parts, Mass(0, spread_N)
    cell = math.sqrt(demand.variance) / CELLS_A_DEVIATION
    first = math.floor(demand.quantile(NEGLIGIBLE) / cell)
    last = math.ceil(demand.quantile(1.0 - NEGLIGIBLE) / cell)
    edges_N = (np.arange(first, last + 2) - 0.5) * cell
    probability_N = np.diff(
        [demand.cdf(max(edge, 0.0) if demand.cdf(0.0) == 0.0 else edge) for edge in edges_N]
    )
    return cell, Mass(first, probability_N / probability_N.sum())


def _over(one: Mass, periods: int) -> Mass:
    """Returns the demand over so many periods."""
    total = Mass(0, np.ones(1))
    for _ in range(periods):
        total = total.plus(one)
    return total


@lru_cache(maxsize=1024)
def best_levels(
    demand: str,
    mean: float,
    sd: float | None,
    lead_times: tuple[int, ...],
    holding_costs: tuple[float, ...],
    backlog_cost: float,
) -> tuple[float, ...]:
    """Returns the best echelon base-stock levels; a level above a higher stage's has no effect and is cut."""
    if demand in MEAN_ALONE and sd != 0:
        sd = None
    system = SerialSystem(of_moments(demand, mean, sd), lead_times, holding_costs, backlog_cost)
    return effective(system.solve()[0])


def effective(levels: Sequence[float]) -> tuple[float, ...]:
    """Returns levels with the same effect that don't fall from stage to stage."""
    return tuple(min(levels[stage:]) for stage in range(len(levels)))


@dataclass
class Box:
    """One stage of the Beer Game's board: amounts in cases, a place for each week of delay."""

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
        given: Parameters as in the known cases.
        order: Stage, its box and the order that it just got -> what it orders.
        fixed_weeks: Weeks at first in which everyone orders what flows at the beginning.

    Returns:
        Cost of each stage.
    """
    flow, stages = given["initial_pipeline"], range(given["stages"])
    holding_costs, backlog_costs = (_per_stage(given, name) for name in ("holding_cost", "backlog_cost"))
    boxes = [
        Box(stock, on_order, [flow] * given["shipping_delay"], [flow] * (given["order_delay"] + 1))
        for stock, on_order in zip(_per_stage(given, "initial_inventory"), _on_order(given), strict=True)
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


def _per_stage(given: Mapping[str, Any], name: str) -> list[float]:
    value = given[name]
    return list(value) if isinstance(value, Sequence) else [value] * given["stages"]


def _on_order(given: Mapping[str, Any]) -> list[float]:
    """Returns what each stage counts as on order at the beginning."""
    return given.get("initial_on_order") or _flowing(given)


def _flowing(given: Mapping[str, Any]) -> list[float]:
    """Returns what flows to each stage at the beginning, as orders and as goods."""
    between = given["order_delay"] + 1 + given["shipping_delay"]
    weeks = [between] * (given["stages"] - 1) + [1 + given["production_delay"]]
    return [given["initial_pipeline"] * time for time in weeks]


def _demand(given: Mapping[str, Any], week: int) -> float:
    return [amount for begin, amount in given["demand"] if begin <= week][-1]


def experiment(case: KnownCase) -> Experiment:
    """Returns how to reproduce a known case.

    Raises:
        InputError: If the policy isn't known.
    """
    return _serial_system(case) if case.family == "serial_system" else _beer_game(case)


def up_to(levels: Sequence[float], view: str, state: dict, choices: Sequence[str]) -> str:
    """Orders what the stock of a stage, or of its echelon, and what is on its way lack of its level."""
    position = state["echelon_position"] if view == "echelon" else state["stock"] + state["on_order"]
    return nearest(choices, levels[state["stage"]] - position)


def _serial_system(case: KnownCase) -> Experiment:
    """Stock begins at its levels, so that the system is near its steady state at once."""
    given, fractions = case.parameters, any(level % 1 for level in case.policy.get("S", ()))
    demand: Any = named(given["demand"])
    system = SerialSystem(
        demand, given["lead_times"], given["local_holding_costs"], given["backorder_cost"], fractions
    )
    levels, cost = system.solve(_echelon_levels(case))
    kept, stages = effective(levels), len(levels)
    in_transit_costs = "not charged" not in case.conventions.get("holding", "")
    params = {
        **_moments(given["demand"]),
        "holding_costs": given["local_holding_costs"],
        "backlog_costs": [given["backorder_cost"]] + [0.0] * (stages - 1),
        "in_transit_costs": in_transit_costs,
        "lead_times": given["lead_times"],
        "order_delays": [0] * stages,
        "initial_stock": np.maximum(np.diff(kept, prepend=0.0), 0.0).tolist(),
        "largest_order": max(float(demand.quantile(1.0 - 1e-7)), 2.0 * demand.mean),
        "order_step": _unit(demand, fractions),
    }
    begun = SupplyChain.parse(params)
    return Experiment(
        begun,
        partial(up_to, kept, "echelon"),
        measures={"cost_by_stage": partial(_by_stage, stages, False)},
        solved={
            "cost_per_period": lambda: cost if in_transit_costs else cost - system.in_transit,
            "S": lambda: levels,
            **{f"S{stage + 1}": partial(float, level) for stage, level in enumerate(levels)},
        },
        warm_up=100.0,
        horizon=2000.0,
        other_start=begun.model_copy(update={"initial_stock": (0.0,) * stages}),
    )


def _echelon_levels(case: KnownCase) -> Sequence[float] | None:
    """Returns a case's echelon base-stock levels, or None if it asks for the best ones."""
    match case.policy["name"].lower(), case.policy.get("S"):
        case "echelon_base_stock", Sequence() as levels:
            return levels
        case (("base_stock" | "local_base_stock" | "order_up_to"), Sequence() as levels):
            return np.cumsum(levels).tolist()
        case (("echelon_base_stock" | "clark_scarf" | "optimal"), None):
            return None
    raise InputError(
        f"{case.id}: policies of a serial system are echelon_base_stock and base_stock, with S, and optimal; "
        f"got {dict(case.policy)}"
    )


def _unit(demand: Any, fractions: bool) -> float:
    """Returns of what orders are multiples: one, or a hundredth or less of what demand varies by."""
    spread = math.sqrt(demand.variance) or demand.mean
    whole = isinstance(demand, Counts) and not fractions
    return 1.0 if whole else 10.0 ** math.floor(math.log10(spread / 50))


def _moments(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a named distribution as the simulator's parameters tell it."""
    name = "gamma" if spec["name"] == "erlang" else spec["name"]
    demand: Any = named(spec)
    sd = None if name in MEAN_ALONE else math.sqrt(demand.variance)
    return {"demand": name, "demand_mean": demand.mean, "demand_sd": sd}


def _by_stage(stages: int, whole_episode: bool, replication: Replication) -> Any:
    """Returns the costs of the stages, per period or in all."""
    time = replication.time if whole_episode else 1.0
    return [replication.measures[f"stage {stage + 1}"] * time for stage in range(stages)]


def _beer_game(case: KnownCase) -> Experiment:
    given, stages = case.parameters, case.parameters["stages"]
    forced = re.search(r"in weeks 1-(\d+)", case.conventions.get("forced", ""))
    weeks = int(forced[1]) if forced else 0
    player = _player(case)
    begin, *steps = given["demand"]
    params = SupplyChain.parse(
        {
            "demand": "deterministic",
            "demand_mean": begin[1],
            "step_periods": [week for week, _ in steps],
            "step_means": [amount for _, amount in steps],
            "holding_costs": _per_stage(given, "holding_cost"),
            "backlog_costs": _per_stage(given, "backlog_cost"),
            "in_transit_costs": False,
            "lead_times": [given["shipping_delay"]] * (stages - 1) + [given["production_delay"]],
            "order_delays": [given["order_delay"] + 1] * (stages - 1) + [1],
            "initial_stock": _per_stage(given, "initial_inventory"),
            "initial_flow": given["initial_pipeline"],
            "largest_order": 500.0,
            "order_step": player.unit,
            "smoothing": player.smoothing,
            "fixed_periods": weeks,
            "periods": given["weeks"],
            "view": "local",
        }
    )
    return Experiment(
        params,
        player.policy,
        measures={"cost_by_stage": partial(_by_stage, stages, True)},
        solved={
            "total_cost": lambda: sum(board(given, player.on_board(), weeks)),
            "cost_by_stage": lambda: board(given, player.on_board(), weeks),
        },
        horizon=given["weeks"],
        terminating=True,
    )


@dataclass(frozen=True)
class Player:
    """A policy of the Beer Game, for the simulator and for the board.

    Attributes:
        policy: Decides in the simulator.
        on_board: Makes one that decides on the board, for one game.
        unit: Orders in the simulator are multiples of it.
        smoothing: Weight of the newest order in the forecast.
    """

    policy: Policy
    on_board: Callable[[], Callable[[int, Box, float], float]]
    unit: float = 1.0
    smoothing: float = 0.0


def _player(case: KnownCase) -> Player:
    policy = case.policy
    match policy["name"].lower():
        case "pass_through":
            return Player(pass_through, lambda: lambda stage, box, got: got)
        case "order_up_to" | "base_stock":
            anchor = re.search(r"([\d.]+) *\+ *S", policy.get("order", ""))
            return _base_stock(case, float(anchor[1]) if anchor else 0.0)
        case "anchor_and_adjust" | "sterman":
            return _sterman(case)
    raise InputError(
        f"{case.id}: policies of the Beer Game are pass_through, order_up_to and anchor_and_adjust; got "
        f"{policy['name']!r}"
    )


def _uncounted(given: Mapping[str, Any]) -> np.ndarray:
    """Returns by how much each stage flows more than it counts; that never changes."""
    return np.subtract(_flowing(given), _on_order(given))


def _base_stock(case: KnownCase, anchor: float) -> Player:
    levels = (np.broadcast_to(case.policy["S"], case.parameters["stages"]) + anchor).tolist()

    def order(stage: int, box: Box, got: float) -> float:
        return max(0.0, levels[stage] - (box.stock - box.backlog) - box.on_order)

    counted = np.add(levels, _uncounted(case.parameters)).tolist()
    unit = 1.0 if all(level % 1 == 0 for level in counted) else 0.01
    return Player(partial(up_to, counted, "local"), lambda: order, unit)


def _sterman(case: KnownCase) -> Player:
    given, policy = case.parameters, case.policy
    try:
        theta, alpha, beta = policy["theta"], policy.get("alpha", policy.get("alpha_S")), policy["beta"]
        desired = next(policy[name] for name in ("desired", "S'", "S_prime", "S", "Q") if name in policy)
    except (KeyError, StopIteration):
        raise InputError(f"{case.id}: anchor_and_adjust needs theta, alpha, beta and desired") from None

    def on_board() -> Callable[[int, Box, float], float]:
        expected = [float(given["initial_pipeline"])] * given["stages"]

        def order(stage: int, box: Box, got: float) -> float:
            expected[stage] += theta * (got - expected[stage])
            lacking = desired - (box.stock - box.backlog) - beta * box.on_order
            return max(0.0, expected[stage] + alpha * lacking)

        return order

    goals = (desired + beta * _uncounted(given)).tolist()
    return Player(partial(_anchored, alpha, beta, goals), on_board, 0.01, theta)


def _anchored(alpha: float, beta: float, goals: Sequence[float], state: dict, choices: Sequence[str]) -> str:
    return anchor_and_adjust(state, choices, alpha, beta, goals[state["stage"]])
