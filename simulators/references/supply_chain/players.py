"""Policies of the Beer Game's known answers, for the simulator and for the board."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from simdistill.errors import InputError
from simdistill.simulation import KnownCase, Policy
from simdistill.simulators.references.supply_chain.board import Box, flowing, initial_on_order
from simdistill.simulators.supply_chain import anchor_and_adjust, nearest, pass_through


def up_to(levels: Sequence[float], view: str, state: dict, choices: Sequence[str]) -> str:
    """Orders the difference of a stage's level and its inventory position, or its echelon position."""
    position = state["echelon_position"] if view == "echelon" else state["stock"] + state["on_order"]
    return nearest(choices, levels[state["stage"]] - position)


@dataclass(frozen=True)
class Player:
    """A policy of the Beer Game, for the simulator and for the board.

    Attributes:
        policy: Policy for the simulator.
        on_board: Function that returns the policy for one game on the board.
        unit: Unit of orders in the simulator; orders are multiples of it.
        smoothing: Weight of the newest order in the forecast.
    """

    policy: Policy
    on_board: Callable[[], Callable[[int, Box, float], float]]
    unit: float = 1.0
    smoothing: float = 0.0


def player_of(case: KnownCase) -> Player:
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
    """Returns the amount on its way to each stage beyond its count of orders; it stays constant in a game."""
    return np.subtract(flowing(given), initial_on_order(given))


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
