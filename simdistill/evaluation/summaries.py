"""What the examined policies' costs come to: means, distances to a reference, gaps closed, with intervals.

Axes: P parameter sets, R replications, U units that an interval resamples (sets or replications), X policies.
"""

from collections.abc import Sequence

import numpy as np

from simdistill.config import TaskConfig
from simdistill.evaluation.cases import Case, Cost
from simdistill.simulation import PLAN, TEST, generator
from simdistill.statistics import Estimate, bootstrap_estimate, mean_estimate


def costs(cases: Sequence[Case], setting: str, name: str) -> np.ndarray:
    """Returns the costs of a policy over a setting's parameter sets (P); NaN where queues grow."""
    return np.array(
        [_cost(case, case.costs[name]) for case in cases if case.setting == setting and name in case.costs]
    )


def _cost(case: Case, cost: Cost) -> float:
    if case.chain is not None:
        return np.nan if cost.exact is None else cost.exact
    cost_R = cost.cost_R
    return np.nan if cost.grows or np.isnan(cost_R).all() else float(np.nanmean(cost_R))


def known(case: Case, name: str) -> float | None:
    """Returns a policy's cost with one parameter set; None where queues grow."""
    cost = _cost(case, case.costs[name])
    return None if np.isnan(cost) else cost


def units(cases: Sequence[Case], setting: str, names: Sequence[str]) -> np.ndarray | None:
    """Returns what an interval resamples, (U, X): parameter sets, or one set's simulated replications.

    Replications that failed under any of the policies count for none of them. None where a policy wasn't
    examined or is unstable.
    """
    found = [case for case in cases if case.setting == setting]
    if not found or any(name not in case.costs for case in found for name in names):
        return None
    cost_PX = np.stack([costs(cases, setting, name) for name in names], axis=1)
    if np.isnan(cost_PX).any():
        return None
    if found[0].chain is not None:
        return cost_PX
    columns = []
    for case in found:
        count = min(len(case.costs[name].replications) for name in names)
        cost_RX = np.stack([case.costs[name].cost_R[:count] for name in names], axis=1)
        columns.append(cost_RX[np.isfinite(cost_RX).all(axis=1)])
    if any(not len(cost_RX) for cost_RX in columns):
        return None
    return columns[0] if len(columns) == 1 else np.stack([cost_RX.mean(axis=0) for cost_RX in columns])


def over(cases: Sequence[Case], setting: str, name: str, reference: str, seed: int) -> Estimate | None:
    """Returns pooled cost over the reference's, minus one; the interval resamples `units`.

    None where the policy wasn't examined or is unstable.
    """
    pair_UX = units(cases, setting, (name, reference))
    if pair_UX is None:
        return None
    return bootstrap_estimate(lambda p: p[..., 0].sum(-1) / p[..., 1].sum(-1) - 1, pair_UX, _random(seed))


def regret(
    cases: Sequence[Case], setting: str, name: str, reference: str, task: TaskConfig, seed: int
) -> Estimate | None:
    """Returns a policy's cost beyond the reference's per decision, by the decisions it takes in simulation.

    None where the policy wasn't examined, is unstable or decides nothing.
    """
    pair_UX = units(cases, setting, (name, reference))
    if pair_UX is None:
        return None
    span = 1.0 if task.kind == "terminating" else task.warm_up + task.horizon
    played = [
        [r.decisions for r in case.costs[name].replications if r] for case in cases if case.setting == setting
    ]
    if not all(sum(decisions) for decisions in played):
        return None
    rate_P = [np.mean(decisions) / span for decisions in played]
    rows_UX = np.column_stack([pair_UX, np.broadcast_to(rate_P, len(pair_UX))])
    return bootstrap_estimate(
        lambda p: (p[..., 0] - p[..., 1]).sum(-1) / p[..., 2].sum(-1), rows_UX, _random(seed)
    )


def gap_closed(
    cases: Sequence[Case], setting: str, name: str, heuristic: str, reference: str, seed: int
) -> Estimate | None:
    """Returns the share of the heuristic's gap to the reference that a policy closes.

    None where the gap's own interval includes zero, or a policy is unstable.
    """
    cost_UX = units(cases, setting, (heuristic, name, reference))
    if cost_UX is None:
        return None
    gap = bootstrap_estimate(lambda p: (p[..., 0] - p[..., 2]).sum(-1), cost_UX, _random(seed))
    if gap.low <= 0:
        return None
    return bootstrap_estimate(
        lambda p: (p[..., 0] - p[..., 1]).sum(-1) / (p[..., 0] - p[..., 2]).sum(-1), cost_UX, _random(seed)
    )


def summary(cases: Sequence[Case], setting: str, name: str, horizon: float, seed: int) -> dict | None:
    """Returns a policy's entry of `metrics.json` for one setting; growth is per unit of time."""
    found = [case for case in cases if case.setting == setting and name in case.costs]
    if not found:
        return None
    owners = [case.costs[name] for case in found]
    solved = found[0].chain is not None
    cost_U = units(cases, setting, (name,))
    simulated = [owner for owner in owners if owner.replications]
    entry: dict = {"mean": None, "ci95": None, "exact": solved, "replications": 0, "simulated": None}
    if cost_U is None:
        entry |= {"exact": False, "unstable": True}
    else:
        interval = bootstrap_estimate(lambda p: p[..., 0].mean(-1), cost_U, _random(seed))
        entry |= interval.as_dict()
        if solved:
            entry["tabulated"] = min(owner.tabulated for owner in owners)
    if simulated:
        entry["replications"] = len(simulated[0].replications)
        if cost_U is None:
            growth = [owner.growth_R.mean() for owner in simulated if len(owner.growth_R)]
            growth_R = simulated[0].growth_R if len(simulated) == 1 else np.array(growth)
            entry["growth"] = mean_estimate(growth_R / (horizon / 2)).as_dict() if len(growth_R) else None
        elif solved:
            cost_R = np.nanmean([owner.cost_R for owner in simulated], axis=0)
            entry["simulated"] = {**mean_estimate(cost_R).as_dict(), "replications": len(cost_R)}
    return entry


def _random(seed: int) -> np.random.Generator:
    return generator((seed, TEST, PLAN))
