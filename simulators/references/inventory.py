"""Exact costs of a single stock: the optimum, given policies, and the best policy of a kind.

Stock on hand is counted when a period's order has arrived and before the next is placed; with a lead time of
L periods, L - 1 further orders are then on the way. Axes: S states, D demands, N orders on the way, Z lots
ordered.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import count, product
from typing import Any

import numpy as np
from scipy import integrate, sparse

from simdistill.errors import InputError
from simdistill.mdp import DecisionProcess
from simdistill.simulation import Policy
from simdistill.simulation.distributions import Counts, Deterministic, Exponential, Gamma, Normal
from simdistill.simulators.inventory import BaseStock, Constant, Inventory, ReorderPoint, told

Rule = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Stock on hand (S) and orders on the way (S, N) -> units ordered (S)."""

DENSE = 1500
"""States up to which a chain is solved by elimination; beyond, by iteration."""
FAST_STATES = 5_000
"""States of a decision process that is solved within a second."""
MOST_STATES = 4_000_000
"""States that value iteration can sweep over."""


# Demand and the cost of one period.


def counted(params: Any) -> bool:
    """Returns whether demand and orders come in whole units."""
    whole = getattr(params.distribution, "value", 0) == int(getattr(params.distribution, "value", 0))
    return (
        isinstance(params.distribution, Counts | Deterministic) and whole and isinstance(params.lot_size, int)
    )


def demand(params: Any, periods: int = 1) -> np.ndarray:
    """Returns the probabilities of a total demand of 0, 1, 2, … in some periods (D).

    Raises:
        InputError: If demand doesn't come in whole units.
    """
    if not counted(params):
        raise InputError(
            f"no exact chain for {params.demand} demand and lots of {params.lot_size:g}: both must be whole "
            "units"
        )
    return _demand(params.distribution, periods)


@lru_cache(maxsize=256)
def _demand(distribution: Any, periods: int) -> np.ndarray:
    if isinstance(distribution, Deterministic):
        return np.eye(periods * int(distribution.value) + 1)[-1]
    if periods == 1:
        return distribution.probabilities
    return np.convolve(_demand(distribution, periods - 1), distribution.probabilities)


def period_cost(params: Any, demand_D: np.ndarray, stock_S: np.ndarray) -> np.ndarray:
    """Returns the expected cost when a demand meets a stock: h E(y - D)+ + p E(D - y)+."""
    left_Y = np.concatenate([[0.0], np.cumsum(np.cumsum(demand_D))])
    last = len(left_Y) - 1
    left_S = left_Y[np.clip(stock_S, 0, last)] + np.maximum(stock_S - last, 0)
    mean = demand_D @ np.arange(len(demand_D))
    return params.holding_cost * left_S + params.shortage_cost * (left_S - stock_S + mean)


def critical_ratio(params: Any) -> float:
    """Returns the newsvendor's probability of not running out, p / (p + h)."""
    if params.holding_cost == 0:
        raise InputError("holding_cost is 0: the more stock the better, there is no best order")
    return params.shortage_cost / (params.shortage_cost + params.holding_cost)


def fractile(demand_D: np.ndarray, ratio: float) -> int:
    """Returns the least number that demand stays at or below with this probability."""
    return int(np.searchsorted(np.cumsum(demand_D), min(ratio, 1.0 - 1e-12)))


# Where customers wait, only the inventory position counts: cost a lead time later is a function of it
# (Zipkin, Foundations of Inventory Management, section 6.2). A newsvendor is the same with no lead time.


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
    raise InputError(f"no formula for {params.demand} demand over a lead time of {params.lead_time}")


def delayed_cost(params: Any, position: float) -> float:
    """Returns the expected cost of the period in which an order placed now arrives, by the position."""
    if counted(params) and position == int(position):
        total_D = demand(params, params.lead_time + 1)
        return float(period_cost(params, total_D, np.array([int(position)]))[0])
    total = _total(params)
    lowest = min(float(total.quantile(0.0)), position)
    left = integrate.quad(total.cdf, lowest, position, epsabs=1e-9, limit=500)[0]
    return params.holding_cost * left + params.shortage_cost * (left - position + total.mean)


def newsvendor(params: Any) -> float:
    """Returns the inventory position of least `delayed_cost`."""
    ratio = critical_ratio(params)
    return (
        fractile(demand(params, params.lead_time + 1), ratio)
        if counted(params)
        else float(_total(params).quantile(ratio))
    )


def reorder_cost(params: Any, reorder: int, level: int) -> float:
    """Returns the average cost of an (s, S) policy where customers wait.

    Renewal reward: c(s, S) = (K + sum m(j) G(S - j)) / sum m(j) over 0 <= j < S - s, with m the renewal
    density of demand and G the `delayed_cost` (Zheng and Federgruen 1991).
    """
    reach = level - reorder
    one_D = np.zeros(reach)
    given_D = demand(params)[:reach]
    one_D[: len(given_D)] = given_D
    visits_D = np.zeros(reach)
    visits_D[0] = 1.0 / (1.0 - one_D[0])
    for j in range(1, reach):
        visits_D[j] = one_D[1 : j + 1] @ visits_D[:j][::-1] / (1.0 - one_D[0])
    costs_D = period_cost(params, demand(params, params.lead_time + 1), level - np.arange(reach))
    return float((params.order_cost + visits_D @ costs_D) / visits_D.sum())


def best_reorder_point(params: Any) -> ReorderPoint:
    """Returns the optimal policy where customers wait (Zheng and Federgruen 1991, Operations Research 39)."""
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


def waiting_run(params: Any, policy: Policy) -> float:
    """Returns the average cost of a policy where customers wait, by the chain of the inventory position.

    Raises:
        InputError: If the backlog grows without bound.
    """
    one_D, total_D = demand(params), demand(params, params.lead_time + 1)
    rule, most = rule_of(params, policy)
    reach = len(total_D) + _decay(params, getattr(policy, "cap", math.inf) - params.mean_demand)
    position_S = np.arange(-reach, most + 1)
    order_S = rule(position_S, np.zeros((len(position_S), 0)))
    after_S = position_S + order_S
    column_SD = np.clip(after_S[:, None] - np.arange(len(one_D)), -reach, most) + reach
    row_SD = np.repeat(np.arange(len(position_S)), len(one_D))
    moves = sparse.csr_matrix(
        (np.tile(one_D, len(position_S)), (row_SD, column_SD.ravel())), shape=(len(position_S),) * 2
    )
    stationary_S = _stationary(moves, reach)
    if stationary_S[0] > 1e-8:
        raise InputError(f"the backlog grows without bound under {policy}")
    return float(stationary_S @ (period_cost(params, total_D, after_S) + params.order_cost * (order_S > 0)))


# Where sales are lost, the orders on the way count one by one.


def _decay(params: Any, drift: float) -> int:
    """Returns what a random walk with this drift towards 0 hardly ever exceeds: some 25 decay lengths."""
    return 1 if drift == math.inf else math.ceil(12.5 * params.distribution.variance / max(drift, 0.02)) + 1


def lots(params: Any, units_S: np.ndarray) -> np.ndarray:
    """Returns amounts in whole lots, rounded as the simulator does."""
    return (np.rint(np.maximum(units_S, 0) / params.lot_size) * params.lot_size).astype(np.int64)


def rule_of(params: Any, policy: Any) -> tuple[Rule, int]:
    """Returns a policy for many states at once, and the stock on hand that it hardly ever exceeds.

    Raises:
        InputError: If it isn't known how to.
    """

    def position(on_hand_S: np.ndarray, on_order_SN: np.ndarray) -> np.ndarray:
        return on_hand_S + on_order_SN.sum(axis=1)

    match policy:
        case Constant(units):
            most = _decay(params, params.mean_demand - units) + 2 * math.ceil(units)
            return lambda x_S, q_SN: lots(params, np.full(len(x_S), units)), most
        case BaseStock(level, cap):
            return (
                lambda x_S, q_SN: lots(params, np.minimum(level - position(x_S, q_SN), cap)),
                max(0, math.ceil(level)) + params.lot_size,
            )
        case ReorderPoint(reorder, level):

            def order(x_S: np.ndarray, q_SN: np.ndarray) -> np.ndarray:
                held_S = position(x_S, q_SN)
                return lots(params, np.where(held_S <= reorder, level - held_S, 0))

            return order, max(0, math.ceil(level)) + params.lot_size
        case Myopic():
            return (
                lambda x_S, q_SN: np.array(
                    [
                        myopic_order(params, x, tuple(q))
                        for x, q in zip(x_S.tolist(), q_SN.tolist(), strict=True)
                    ]
                ),
                int(newsvendor(params)) + params.lot_size,
            )
    raise InputError(f"no exact cost for the policy {policy}")


def lost_run(params: Any, policy: Any) -> float:
    """Returns the average cost of a policy where sales are lost, by the chain of all states that it reaches.

    Raises:
        InputError: If the stock grows without bound, or the states are too many to be told apart.
    """
    rule, most = rule_of(params, policy)
    orders = max(params.lead_time, 1)
    if (most + 1) ** orders > 2**62:
        raise InputError(f"a lead time of {params.lead_time} has too many states to be solved exactly")
    radix_N = (most + 1) ** np.arange(orders)  # a state as one number
    known = frontier = np.zeros(1, dtype=np.int64)
    parts, cost_parts = [], []
    while len(frontier):
        state_SN = frontier[:, None] // radix_N % (most + 1)
        order_S = rule(state_SN[:, 0], state_SN[:, 1:])
        row, following, chance, cost_S = _period(params, state_SN, order_S)
        following[:, 0] = np.minimum(following[:, 0], most)
        codes = following @ radix_N
        parts.append((frontier[row], codes, chance))
        cost_parts.append((frontier, cost_S))
        frontier = np.setdiff1d(codes, known)
        known = np.union1d(known, frontier)
    rows, columns, chances = (np.concatenate(part) for part in zip(*parts, strict=True))
    place = (np.searchsorted(known, rows), np.searchsorted(known, columns))
    stationary_S = _stationary(sparse.csr_matrix((chances, place), shape=(len(known),) * 2), 0)
    if isinstance(policy, Constant) and stationary_S @ (known % (most + 1) == most) > 1e-8:
        raise InputError(f"the stock grows without bound under {policy}")
    visited, costs = (np.concatenate(part) for part in zip(*cost_parts, strict=True))
    return float(stationary_S[np.searchsorted(known, visited)] @ costs)


def _period(params: Any, state_SN: np.ndarray, order_S: np.ndarray):
    """Returns the moves of a period (row of the state, next state, probability) and its cost (S)."""
    demand_D = demand(params)
    if params.lead_time == 0:
        stock_S, coming_SN = state_SN[:, 0] + order_S, np.zeros_like(state_SN)
    else:
        stock_S, coming_SN = state_SN[:, 0], np.column_stack([state_SN[:, 1:], order_S])
    cost_S = period_cost(params, demand_D, stock_S) + params.order_cost * (order_S > 0)
    sold_S = np.minimum(stock_S, len(demand_D) - 1)
    row = np.repeat(np.arange(len(stock_S)), sold_S + 1)
    sold = np.arange(len(row)) - np.repeat(np.cumsum(sold_S + 1) - sold_S - 1, sold_S + 1)
    at_least_D = np.cumsum(demand_D[::-1])[::-1]
    chance = np.where(sold == stock_S[row], at_least_D[sold], demand_D[sold])
    following = coming_SN[row]
    following[:, 0] += stock_S[row] - sold
    possible = chance > 0
    return row[possible], following[possible], chance[possible], cost_S


def _stationary(moves: Any, start: int) -> np.ndarray:
    """Returns the long-run probabilities of a chain that begins in a state."""
    size = moves.shape[0]
    if size <= DENSE:
        balance = moves.toarray().T - np.eye(size)
        balance[-1] = 1.0
        return np.linalg.solve(balance, np.eye(size)[-1])
    share_S, onward = np.eye(1, size, start)[0], moves.T.tocsr()
    for _ in range(100_000):
        following_S = 0.1 * share_S + 0.9 * (onward @ share_S)  # a chain may be periodic, a lazy one isn't
        moved, share_S = np.abs(following_S - share_S).sum(), following_S
        if moved < 1e-11:
            break
    return share_S


@dataclass(frozen=True)
class Myopic:
    """Orders what costs least in the period in which the order arrives."""

    params: Any

    def __call__(self, state: dict, choices) -> str:
        units = myopic_order(self.params, state["on_hand"], tuple(state["on_order"]))
        return choices[min(len(choices) - 1, round(units / self.params.lot_size))]


@lru_cache(maxsize=500_000)
def myopic_order(params: Any, on_hand: int, on_order: tuple[int, ...]) -> float:
    """Returns the units that cost least in the period in which they arrive.

    Where sales are lost that is a newsvendor's order on top of what will be left by then (Zipkin 2008, Old
    and new methods for lost-sales inventory systems).
    """
    if not (params.lost_sales and counted(params)):
        return max(0, newsvendor(params) - on_hand - sum(on_order))
    demand_D = demand(params)
    left_Y = np.eye(on_hand + 1)[on_hand]
    for arriving in (*on_order, 0)[: params.lead_time]:
        sold_D = demand_D[: len(left_Y)]
        kept = np.convolve(left_Y, sold_D[::-1])[len(sold_D) - 1 :][: len(left_Y)]
        kept[0] += 1.0 - kept.sum()
        left_Y = np.concatenate([np.zeros(arriving), kept])
    most = fractile(demand_D, critical_ratio(params)) + params.lot_size
    stock_ZY = np.arange(0, most + 1, params.lot_size)[:, None] + np.arange(len(left_Y))
    return params.lot_size * int(np.argmin(period_cost(params, demand_D, stock_ZY) @ left_Y))


@dataclass(frozen=True, eq=False)
class Optimal:
    """The optimal policy where sales are lost, as a table.

    Attributes:
        cost: Average cost per period.
        lots: Lots to order, by stock on hand and each order on the way in lots.
        lot_size: Units in a lot.
    """

    cost: float
    lots: np.ndarray
    lot_size: int

    def __call__(self, state: dict, choices) -> str:
        place = (state["on_hand"], *(units // self.lot_size for units in state["on_order"]))
        return choices[self.lots[tuple(map(min, place, (n - 1 for n in self.lots.shape)))]]


@lru_cache(maxsize=32)
def optimal(params: Any) -> Optimal:
    """Finds the optimal policy where sales are lost, by value iteration.

    Without order costs no order exceeds a newsvendor's for one period, and no position a newsvendor's for
    lead time + 1 periods (Zipkin 2008, On the structure of lost-sales inventory models): the truncation is
    exact. With order costs it is widened until the optimum doesn't touch it.
    """
    demand_D, ratio, lot = demand(params), critical_ratio(params), params.lot_size
    most = fractile(demand(params, params.lead_time + 1), ratio) + lot
    largest = math.ceil(fractile(demand_D, ratio) / lot)
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
    """Relative value iteration over stock on hand and orders on the way (Puterman, section 8.5.4).

    Stock beyond `most` is taken for `most`. Stops when the bounds of the average cost are close.
    """
    onward = max(params.lead_time - 1, 0)
    shape = (most + 1, *(largest + 1,) * onward)
    if np.prod(shape, dtype=float) > MOST_STATES:
        raise InputError(
            f"the optimum for a lead time of {params.lead_time} needs {math.prod(shape):,} states"
        )
    demand_D = np.zeros(most + 1)
    given_D = demand(params)[: most + 1]
    demand_D[: len(given_D)] = given_D
    stock_S = np.arange(most + 1)
    gap_SS = stock_S[:, None] - stock_S
    leave_SS = np.where(gap_SS >= 0, demand_D[np.maximum(gap_SS, 0)], 0.0)
    leave_SS[:, 0] += 1.0 - leave_SS.sum(axis=1)
    cost_S = period_cost(params, demand(params), stock_S)
    order_Z = params.order_cost * (np.arange(largest + 1) > 0)
    # With order costs a stock runs through a nearly periodic cycle, which a lazy chain forgets.
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
    """Returns the least cost of a period and what follows, or the choice that has it, in every state."""
    size, choices = len(cost_S), len(order_Z)
    padded = np.concatenate([values, np.repeat(values[-1:], lot * (choices - 1), axis=0)])
    later = [padded[lot * z : lot * z + size] for z in range(choices)]  # when z lots have arrived
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


# Policies by name, and their costs.


def policy_cost(params: Any, policy: Any) -> float:
    """Returns the exact average cost per period of a policy.

    Raises:
        InputError: If there is neither a formula nor a chain for it, or it lets stock or backlog grow.
    """
    match policy:
        case Optimal():
            return policy.cost
        case Myopic() if params.perishable or not params.lost_sales:
            return policy_cost(params, BaseStock(newsvendor(params)))
        case Constant(units) | BaseStock(units, _) | ReorderPoint(_, units) if params.perishable:
            return delayed_cost(params, units) + params.order_cost * (units > 0)
        case Constant() if params.lead_time > 1:  # it doesn't matter how long ago the same was ordered
            return policy_cost(params.model_copy(update={"lead_time": 1}), policy)
        case BaseStock(level, math.inf) if not params.lost_sales or params.lead_time == 0:
            return delayed_cost(params, level) + params.order_cost * (1.0 - params.distribution.cdf(0.0))
        case ReorderPoint(reorder, level) if not params.lost_sales and reorder < level:
            return reorder_cost(params, round(reorder), round(level))
    return lost_run(params, policy) if params.lost_sales else waiting_run(params, policy)


def best(name: str, params: Any) -> Any:
    """Returns the policy of a kind that costs least.

    Where there is no chain to tell (continuous demand) it is the best if customers waited.
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
    """Returns the arguments of a policy of this kind that no neighbour improves on."""
    while True:
        near = [
            tuple(map(sum, zip(place, step, strict=True))) for step in product((0, -1, 1), repeat=len(place))
        ]
        found = min(near, key=lambda arguments: _cost(params, kind(*arguments)))
        if found == place:
            return place
        place = found


# What a decider sees, as a decision process.


def chain(params: Any, size: int) -> DecisionProcess:
    """Returns the decision process as the decider sees it.

    Stock and backlog reach `size` units, or the demand of 0.4 `size` periods as long as that leaves few
    states. Orders aren't truncated. An epoch is a period.

    Raises:
        InputError: If demand doesn't come in whole units, or there are too many states.
    """
    demand_D = demand(params)
    choices, onward = params.max_order + 1, max(params.lead_time - 1, 0)
    ample = min(0.4 * params.mean_demand * size, FAST_STATES / choices**onward)
    most = 0 if params.perishable else math.ceil(max(size, ample))
    lowest = 0 if params.lost_sales else -most
    shape = (most - lowest + 1, *(choices,) * onward)
    if math.prod(shape) > MOST_STATES / 10:
        raise InputError(
            f"a lead time of {params.lead_time} with max_order {params.max_order} has {math.prod(shape):,} "
            f"states; at most {MOST_STATES // 10:,} can be solved"
        )
    place_SN = np.indices(shape).reshape(len(shape), -1).T
    on_hand_S, on_order_SN = place_SN[:, 0] + lowest, place_SN[:, 1:] * params.lot_size
    moves, costs = [], []
    for choice in range(choices):
        units = choice * params.lot_size
        stock_S = on_hand_S + (units if params.lead_time == 0 else 0)
        moves.append(_moves(params, demand_D, stock_S, place_SN, choice, shape, lowest))
        costs.append(period_cost(params, demand_D, stock_S) + params.order_cost * (choice > 0))
    terms = told(params)
    truncated_S = (on_hand_S == most) | (on_hand_S == -most)
    return DecisionProcess(
        states=[
            {**terms, "on_hand": stock, "on_order": orders}
            for stock, orders in zip(on_hand_S.tolist(), on_order_SN.tolist(), strict=True)
        ],
        labels=[str(choice) for choice in range(choices)],
        legal_SC=np.ones((len(place_SN), choices), dtype=bool),
        moves=moves,
        cost_SC=np.stack(costs, axis=1),
        time_SC=np.ones((len(place_SN), choices)),
        boundary_S=truncated_S & (most > 0) & (on_hand_S != 0),
    )


def _moves(
    params: Any,
    demand_D: np.ndarray,
    stock_S: np.ndarray,
    place_SN: np.ndarray,
    choice: int,
    shape: tuple[int, ...],
    lowest: int,
) -> sparse.csr_matrix:
    """Returns the probabilities of the next period's state under one choice (S, S)."""
    left_SD = stock_S[:, None] - np.arange(len(demand_D))
    if params.lost_sales:
        left_SD = np.maximum(left_SD, 0)
    if params.perishable:
        left_SD = np.zeros_like(left_SD)
    later_SN = place_SN[:, 1:]
    if params.lead_time == 1:
        left_SD = left_SD + choice * params.lot_size
    elif params.lead_time > 1:
        left_SD = left_SD + later_SN[:, :1] * params.lot_size
        later_SN = np.column_stack([later_SN[:, 1:], np.full(len(later_SN), choice)])
    stride = math.prod(shape[1:])
    offset_S = later_SN @ np.array([math.prod(shape[n + 2 :]) for n in range(later_SN.shape[1])], dtype=int)
    column_SD = np.clip(left_SD - lowest, 0, shape[0] - 1) * stride + offset_S[:, None]
    row_SD = np.repeat(np.arange(len(stock_S)), len(demand_D))
    return sparse.csr_matrix(
        (np.tile(demand_D, len(stock_S)), (row_SD, column_SD.ravel())), shape=(len(stock_S),) * 2
    )
