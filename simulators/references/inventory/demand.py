"""Demand for a single stock in whole units, and the expected cost of a period.

Axes: S states, Y amounts of demand or of stock, from 0 on.
"""

from functools import lru_cache
from typing import Any

import numpy as np

from simdistill.errors import InputError
from simdistill.simulation.distributions import Counts, Deterministic


def counted(params: Any) -> bool:
    """Returns whether demand and orders come in whole units."""
    whole = getattr(params.distribution, "value", 0) == int(getattr(params.distribution, "value", 0))
    return (
        isinstance(params.distribution, Counts | Deterministic) and whole and isinstance(params.lot_size, int)
    )


def demand(params: Any, periods: int = 1) -> np.ndarray:
    """Returns the probability of each total demand 0, 1, 2, … over a number of periods (Y).

    Raises:
        InputError: If demand doesn't come in whole units.
    """
    if not counted(params):
        raise InputError(
            f"{params.demand} demand and lots of {params.lot_size:g} can't be solved exactly: both must "
            "be in whole units"
        )
    return _demand(params.distribution, periods)


@lru_cache(maxsize=256)
def _demand(distribution: Any, periods: int) -> np.ndarray:
    if isinstance(distribution, Deterministic):
        return np.eye(periods * int(distribution.value) + 1)[-1]
    if periods == 1:
        return distribution.probabilities
    return np.convolve(_demand(distribution, periods - 1), distribution.probabilities)


def period_cost(params: Any, demand_Y: np.ndarray, stock_S: np.ndarray) -> np.ndarray:
    """Returns the expected cost of a period for each stock (S): h E(y - D)+ + p E(D - y)+.

    Args:
        params: Parameters of the stock, with holding cost h and shortage cost p.
        demand_Y: Probability of each demand D.
        stock_S: Stocks y before demand.
    """
    left_Y = np.concatenate([[0.0], np.cumsum(np.cumsum(demand_Y))])
    last = len(left_Y) - 1
    left_S = left_Y[np.clip(stock_S, 0, last)] + np.maximum(stock_S - last, 0)
    mean = demand_Y @ np.arange(len(demand_Y))
    return params.holding_cost * left_S + params.shortage_cost * (left_S - stock_S + mean)


def critical_ratio(params: Any) -> float:
    """Returns the newsvendor's optimal probability of no shortage, p / (p + h)."""
    if params.holding_cost == 0:
        raise InputError("holding_cost is 0: more stock is always better, so there is no best order")
    return params.shortage_cost / (params.shortage_cost + params.holding_cost)


def fractile(demand_Y: np.ndarray, ratio: float) -> int:
    """Returns the smallest amount that demand doesn't exceed with at least the probability `ratio`."""
    return int(np.searchsorted(np.cumsum(demand_Y), min(ratio, 1.0 - 1e-12)))
