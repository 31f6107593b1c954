"""Experiments for known cases of supply chains: translates a case's fields into parameters and policies."""

import math
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from simdistill.errors import InputError
from simdistill.simulation import Experiment, KnownCase
from simdistill.simulation.distributions import Counts, named
from simdistill.simulation.replication import Replication
from simdistill.simulators.references.supply_chain.board import board, per_stage
from simdistill.simulators.references.supply_chain.clark_scarf import MEAN_ALONE, SerialSystem, effective
from simdistill.simulators.references.supply_chain.players import player_of, up_to
from simdistill.simulators.supply_chain import SupplyChain


def experiment(case: KnownCase) -> Experiment:
    """Returns the experiment for a known case of a supply chain.

    Raises:
        InputError: If the policy is unknown.
    """
    return _serial_system(case) if case.family == "serial_system" else _beer_game(case)


def _serial_system(case: KnownCase) -> Experiment:
    """Returns the experiment for a serial system; stock begins at its levels, near the steady state."""
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
    """Returns a case's echelon base-stock levels, or None for the optimal ones."""
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
    """Returns the unit of orders: one, or at most a fiftieth of the demand's standard deviation."""
    spread = math.sqrt(demand.variance) or demand.mean
    whole = isinstance(demand, Counts) and not fractions
    return 1.0 if whole else 10.0 ** math.floor(math.log10(spread / 50))


def _moments(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a named distribution as the simulator's parameters: name, mean and standard deviation."""
    name = "gamma" if spec["name"] == "erlang" else spec["name"]
    demand: Any = named(spec)
    sd = None if name in MEAN_ALONE else math.sqrt(demand.variance)
    return {"demand": name, "demand_mean": demand.mean, "demand_sd": sd}


def _by_stage(stages: int, whole_episode: bool, replication: Replication) -> Any:
    """Returns the costs of the stages: totals of an episode, or per period."""
    time = replication.time if whole_episode else 1.0
    return [replication.measures[f"stage {stage + 1}"] * time for stage in range(stages)]


def _beer_game(case: KnownCase) -> Experiment:
    given, stages = case.parameters, case.parameters["stages"]
    forced = re.search(r"in weeks 1-(\d+)", case.conventions.get("forced", ""))
    weeks = int(forced[1]) if forced else 0
    player = player_of(case)
    begin, *steps = given["demand"]
    params = SupplyChain.parse(
        {
            "demand": "deterministic",
            "demand_mean": begin[1],
            "step_periods": [week for week, _ in steps],
            "step_means": [amount for _, amount in steps],
            "holding_costs": per_stage(given, "holding_cost"),
            "backlog_costs": per_stage(given, "backlog_cost"),
            "in_transit_costs": False,
            "lead_times": [given["shipping_delay"]] * (stages - 1) + [given["production_delay"]],
            "order_delays": [given["order_delay"] + 1] * (stages - 1) + [1],
            "initial_stock": per_stage(given, "initial_inventory"),
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
