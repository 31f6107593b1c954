"""A single stock as a decision process whose states are the decider's observations.

Axes: S states, Y amounts of demand, N stock on hand and orders on the way.
"""

import math
from typing import Any

import numpy as np
from scipy import sparse

from simdistill.errors import InputError
from simdistill.mdp import DecisionProcess
from simdistill.simulators.inventory import observed_terms
from simdistill.simulators.references.inventory.demand import demand, period_cost
from simdistill.simulators.references.inventory.optimum import MOST_STATES

FAST_STATES = 5_000
"""Number of states up to which a decision process is solved within a second."""


def chain(params: Any, size: int) -> DecisionProcess:
    """Returns the decision process whose states are the decider's observations; an epoch is a period.

    Stock and backlog are truncated at `size` units, or at the demand of 0.4 `size` periods if that is more
    and the number of states stays small. Orders aren't truncated.

    Raises:
        InputError: If demand doesn't come in whole units, or there are too many states.
    """
    demand_Y = demand(params)
    choices, onward = params.max_order + 1, max(params.lead_time - 1, 0)
    ample = min(0.4 * params.mean_demand * size, FAST_STATES / choices**onward)
    most = 0 if params.perishable else math.ceil(max(size, ample))
    lowest = 0 if params.lost_sales else -most
    shape = (most - lowest + 1, *(choices,) * onward)
    if math.prod(shape) > MOST_STATES / 10:
        raise InputError(
            f"a lead time of {params.lead_time} with max_order {params.max_order} needs {math.prod(shape):,} "
            f"states; at most {MOST_STATES // 10:,} can be solved"
        )
    place_SN = np.indices(shape).reshape(len(shape), -1).T
    on_hand_S, on_order_SN = place_SN[:, 0] + lowest, place_SN[:, 1:] * params.lot_size
    moves, costs = [], []
    for choice in range(choices):
        units = choice * params.lot_size
        stock_S = on_hand_S + (units if params.lead_time == 0 else 0)
        moves.append(_moves(params, demand_Y, stock_S, place_SN, choice, shape, lowest))
        costs.append(period_cost(params, demand_Y, stock_S) + params.order_cost * (choice > 0))
    terms = observed_terms(params)
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
    demand_Y: np.ndarray,
    stock_S: np.ndarray,
    place_SN: np.ndarray,
    choice: int,
    shape: tuple[int, ...],
    lowest: int,
) -> sparse.csr_matrix:
    """Returns the probabilities of the next period's state under one choice (S, S)."""
    left_SY = stock_S[:, None] - np.arange(len(demand_Y))
    if params.lost_sales:
        left_SY = np.maximum(left_SY, 0)
    if params.perishable:
        left_SY = np.zeros_like(left_SY)
    later_SN = place_SN[:, 1:]
    if params.lead_time == 1:
        left_SY = left_SY + choice * params.lot_size
    elif params.lead_time > 1:
        left_SY = left_SY + later_SN[:, :1] * params.lot_size
        later_SN = np.column_stack([later_SN[:, 1:], np.full(len(later_SN), choice)])
    stride = math.prod(shape[1:])
    offset_S = later_SN @ np.array([math.prod(shape[n + 2 :]) for n in range(later_SN.shape[1])], dtype=int)
    column_SY = np.clip(left_SY - lowest, 0, shape[0] - 1) * stride + offset_S[:, None]
    row_SY = np.repeat(np.arange(len(stock_S)), len(demand_Y))
    return sparse.csr_matrix(
        (np.tile(demand_Y, len(stock_S)), (row_SY, column_SY.ravel())), shape=(len(stock_S),) * 2
    )
