"""Experiments for known cases of a single stock: translates a case's fields into parameters and policies."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

from simdistill.errors import InputError
from simdistill.simulation import Experiment, KnownCase
from simdistill.simulation.distributions import named
from simdistill.simulators.inventory import BaseStock, Constant, Inventory, ReorderPoint
from simdistill.simulators.references.inventory.backorders import newsvendor
from simdistill.simulators.references.inventory.demand import counted
from simdistill.simulators.references.inventory.policies import best, policy_cost

SEQUENCES = ("receive, order, demand, charge", "order, receive, demand, charge")
"""Known sequences of events in a period. They are equivalent, as orders arrive after a certain lead time."""
PERIODS = 5040.0
"""Number of periods of a replication: a multiple of all numbers up to ten, so that cycles of up to 10 periods
under deterministic demand are complete."""
KINDS = {"erlang": "gamma"}
"""Name of a demand distribution in cases -> the simulator's distribution of which it is a special case."""


def experiment(case: KnownCase) -> Experiment:
    """Returns the experiment for a known case of a single stock.

    Raises:
        InputError: If the case has an unknown convention, parameter or policy.
    """
    sequence = case.conventions.get("sequence", SEQUENCES[0])
    if sequence not in SEQUENCES:
        raise InputError(f"case {case.id}: sequence {sequence!r}; known: {' | '.join(SEQUENCES)}")
    params = _params(case)
    policy = _policy(case, params)
    if case.family == "newsvendor":
        return _newsvendor_experiment(params, policy)
    level = newsvendor(params)
    if not counted(params):
        grain = 10.0 ** math.floor(math.log10(math.sqrt(params.distribution.variance) / 20))
        params = params.model_copy(update={"lot_size": grain})
    far = params.distribution.quantile(1 - 1e-9) + max(
        level, getattr(policy, "level", 0), getattr(policy, "units", 0)
    )
    run = {"max_order": math.ceil(far / params.lot_size), "initial_stock": 0}
    solving = params
    return Experiment(
        params=params.model_copy(update=run),
        policy=policy,
        solved={
            "cost_per_period": lambda: policy_cost(solving, policy),
            **{measure: partial(float, value) for measure, value in _arguments(policy).items()},
        },
        warm_up=300.0,
        horizon=PERIODS,
        other_start=params.model_copy(update={**run, "initial_stock": math.ceil(3 * level)}),
    )


def _newsvendor_experiment(params: Any, policy: Any) -> Experiment:
    units = policy.units if isinstance(policy, Constant) else policy.level
    return Experiment(
        params=params.model_copy(update={"lot_size": units, "max_order": 1}),
        policy=Constant(units),
        solved={
            "cost_per_period": lambda: policy_cost(params, Constant(units)),
            "order_quantity": lambda: float(units),
        },
        horizon=PERIODS,
    )


def _arguments(policy: Any) -> Mapping[str, float]:
    """Returns a policy's constants by the names that cases use."""
    match policy:
        case BaseStock(level, cap):
            return {"S": level, "base_stock_level": level, "cap": cap}
        case ReorderPoint(reorder, level):
            return {"s": reorder, "S": level, "reorder_point": reorder, "order_up_to_level": level}
        case Constant(units):
            return {"order_quantity": units}
    return {}


def _params(case: KnownCase) -> Any:
    """Returns the simulator's parameters for a case."""
    given = dict(case.parameters)
    lost = case.family != "backorders"
    shortage = {"lost_sales": "penalty", "backorders": "backorder_cost", "newsvendor": "stockout_cost"}
    try:
        values = {
            **_demand_told(given.pop("demand")),
            "lead_time": given.pop("lead_time", 0),
            "holding_cost": given.pop("holding_cost"),
            "shortage_cost": given.pop(shortage[case.family]),
            "order_cost": given.pop("order_cost", 0.0),
            "lost_sales": lost,
            "perishable": case.family == "newsvendor",
        }
    except KeyError as missing:
        raise InputError(f"case {case.id}: the parameter {missing} is missing") from None
    if given:
        raise InputError(f"case {case.id}: unknown parameters {', '.join(given)}")
    return Inventory.parse(values)


def _demand_told(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a case's demand as the simulator's parameters: name, mean and standard deviation."""
    if set(spec) <= {"name", "mean", "sd"}:
        mean, sd = spec["mean"], spec.get("sd")
    else:
        try:
            distribution = named(spec)
        except ValueError as error:
            raise InputError(f"demand {dict(spec)}: {error}") from None
        mean, sd = distribution.mean, math.sqrt(distribution.variance)
    return {"demand": KINDS.get(spec["name"], spec["name"]), "mean_demand": mean, "demand_sd": sd}


def _policy(case: KnownCase, params: Any) -> Any:
    """Returns a case's policy; arguments that are left out or "best" are optimized."""
    given = {name: value for name, value in case.policy.items() if name != "name"}
    name = case.policy.get("name", "optimal")
    searched = any(value in ("best", "optimal") for value in given.values())
    match name:
        case "base_stock" | "capped_base_stock" | "s_S" | "constant" if not given or searched:
            return best(name, params)
        case "base_stock":
            return BaseStock(given["S"])
        case "capped_base_stock":
            return BaseStock(given["S"], given["cap"])
        case "s_S":
            return ReorderPoint(given["s"], given["S"])
        case "constant" | "constant_order" | "order_quantity":
            if len(given) != 1:
                raise InputError(f"case {case.id}: the policy {name} needs one amount, got {dict(given)}")
            return Constant(*given.values())
    return best(name, params)
