"""Demand of a single stock in whole units, and the expected cost of one period.

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
    """Returns the probabilities of a total demand of 0, 1, 2, … in some periods (Y).

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


def period_cost(params: Any, demand_Y: np.ndarray, stock_S: np.ndarray) -> np.ndarray:
    """Returns the expected cost when a demand meets a stock: h E(y - D)+ + p E(D - y)+."""
    left_Y = np.concatenate([[0.0], np.cumsum(np.cumsum(demand_Y))])
    last = len(left_Y) - 1
    left_S = left_Y[np.clip(stock_S, 0, last)] + np.maximum(stock_S - last, 0)
    mean = demand_Y @ np.arange(len(demand_Y))
    return params.holding_cost * left_S + params.shortage_cost * (left_S - stock_S + mean)


def critical_ratio(params: Any) -> float:
    """Returns the newsvendor's probability of not running out, p / (p + h)."""
    if params.holding_cost == 0:
        raise InputError("holding_cost is 0: the more stock the better, there is no best order")
    return params.shortage_cost / (params.shortage_cost + params.holding_cost)


def fractile(demand_Y: np.ndarray, ratio: float) -> int:
    """Returns the least number that demand stays at or below with this probability."""
    return int(np.searchsorted(np.cumsum(demand_Y), min(ratio, 1.0 - 1e-12)))
