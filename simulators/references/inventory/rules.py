"""Vectorized policies, which decide in many states at once. Axes: S states, N orders on the way."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from simdistill.errors import InputError
from simdistill.simulators.inventory import BaseStock, Constant, ReorderPoint
from simdistill.simulators.references.inventory.backorders import newsvendor
from simdistill.simulators.references.inventory.myopic import Myopic, myopic_order

Rule = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Stock on hand (S) and orders on the way (S, N) -> units ordered (S)."""


def decay(params: Any, drift: float) -> int:
    """Returns an amount that a random walk with this drift to 0 almost never exceeds: 25 decay lengths."""
    return 1 if drift == math.inf else math.ceil(12.5 * params.distribution.variance / max(drift, 0.02)) + 1


def lots(params: Any, units_S: np.ndarray) -> np.ndarray:
    """Returns amounts of units rounded to whole lots, as in the simulator."""
    return (np.rint(np.maximum(units_S, 0) / params.lot_size) * params.lot_size).astype(np.int64)


def rule_of(params: Any, policy: Any) -> tuple[Rule, int]:
    """Returns a policy's vectorized rule, and a stock on hand that is almost never exceeded under the policy.

    Raises:
        InputError: If there is no rule for the policy.
    """

    def position(on_hand_S: np.ndarray, on_order_SN: np.ndarray) -> np.ndarray:
        return on_hand_S + on_order_SN.sum(axis=1)

    match policy:
        case Constant(units):
            most = decay(params, params.mean_demand - units) + 2 * math.ceil(units)
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
    raise InputError(f"the exact cost of the policy {policy} can't be calculated")
