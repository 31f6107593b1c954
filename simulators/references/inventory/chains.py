"""Average costs of policies, by the Markov chain of the states that a policy reaches.

Axes: S states, Y amounts of demand, N stock on hand and orders on the way.
"""

import math
from typing import Any

import numpy as np
from scipy import sparse

from simdistill.errors import InputError
from simdistill.simulation import Policy
from simdistill.simulators.inventory import Constant
from simdistill.simulators.references.inventory.demand import demand, period_cost
from simdistill.simulators.references.inventory.rules import decay, rule_of

DENSE = 1500
"""Largest number of states of a chain that is solved by elimination; larger ones are solved by iteration."""


def waiting_run(params: Any, policy: Policy) -> float:
    """Returns the average cost of a policy with backorders, by the chain of the inventory position.

    Raises:
        InputError: If the backlog grows without bound.
    """
    one_Y, total_Y = demand(params), demand(params, params.lead_time + 1)
    rule, most = rule_of(params, policy)
    reach = len(total_Y) + decay(params, getattr(policy, "cap", math.inf) - params.mean_demand)
    position_S = np.arange(-reach, most + 1)
    order_S = rule(position_S, np.zeros((len(position_S), 0)))
    after_S = position_S + order_S
    column_SY = np.clip(after_S[:, None] - np.arange(len(one_Y)), -reach, most) + reach
    row_SY = np.repeat(np.arange(len(position_S)), len(one_Y))
    moves = sparse.csr_matrix(
        (np.tile(one_Y, len(position_S)), (row_SY, column_SY.ravel())), shape=(len(position_S),) * 2
    )
    stationary_S = stationary(moves, reach)
    if stationary_S[0] > 1e-8:
        raise InputError(f"the backlog grows without bound under {policy}")
    return float(stationary_S @ (period_cost(params, total_Y, after_S) + params.order_cost * (order_S > 0)))


def lost_run(params: Any, policy: Any) -> float:
    """Returns the average cost of a policy with lost sales, by the chain of all states that it reaches.

    Raises:
        InputError: If the stock grows without bound, or there are too many states.
    """
    rule, most = rule_of(params, policy)
    orders = max(params.lead_time, 1)
    if (most + 1) ** orders > 2**62:
        raise InputError(f"a lead time of {params.lead_time} has too many states to be solved exactly")
    radix_N = (most + 1) ** np.arange(orders)  # encodes a state as one integer
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
    stationary_S = stationary(sparse.csr_matrix((chances, place), shape=(len(known),) * 2), 0)
    if isinstance(policy, Constant) and stationary_S @ (known % (most + 1) == most) > 1e-8:
        raise InputError(f"the stock grows without bound under {policy}")
    visited, costs = (np.concatenate(part) for part in zip(*cost_parts, strict=True))
    return float(stationary_S[np.searchsorted(known, visited)] @ costs)


def _period(params: Any, state_SN: np.ndarray, order_S: np.ndarray):
    """Returns the transitions of a period (index of the state, next state, probability) and its cost (S)."""
    demand_Y = demand(params)
    if params.lead_time == 0:
        stock_S, coming_SN = state_SN[:, 0] + order_S, np.zeros_like(state_SN)
    else:
        stock_S, coming_SN = state_SN[:, 0], np.column_stack([state_SN[:, 1:], order_S])
    cost_S = period_cost(params, demand_Y, stock_S) + params.order_cost * (order_S > 0)
    sold_S = np.minimum(stock_S, len(demand_Y) - 1)
    row = np.repeat(np.arange(len(stock_S)), sold_S + 1)
    sold = np.arange(len(row)) - np.repeat(np.cumsum(sold_S + 1) - sold_S - 1, sold_S + 1)
    at_least_Y = np.cumsum(demand_Y[::-1])[::-1]
    chance = np.where(sold == stock_S[row], at_least_Y[sold], demand_Y[sold])
    following = coming_SN[row]
    following[:, 0] += stock_S[row] - sold
    possible = chance > 0
    return row[possible], following[possible], chance[possible], cost_S


def stationary(moves: Any, start: int) -> np.ndarray:
    """Returns the stationary probabilities (S) of a chain that begins in the state `start`."""
    size = moves.shape[0]
    if size <= DENSE:
        balance = moves.toarray().T - np.eye(size)
        balance[-1] = 1.0
        return np.linalg.solve(balance, np.eye(size)[-1])
    share_S, onward = np.eye(1, size, start)[0], moves.T.tocsr()
    for _ in range(100_000):
        following_S = 0.1 * share_S + 0.9 * (onward @ share_S)  # a lazy chain is never periodic
        moved, share_S = np.abs(following_S - share_S).sum(), following_S
        if moved < 1e-11:
            break
    return share_S
