"""What the examined policies' costs come to, and the units that intervals resample.

Axes: P parameter sets, R replications, U units that an interval resamples (sets or replications), X policies.
"""

from collections.abc import Sequence

import numpy as np

from simdistill.evaluation.cases import Case
from simdistill.evaluation.examined import Examined
from simdistill.results import Cost, Simulated
from simdistill.simulation import PLAN, TEST, generator
from simdistill.statistics import Estimate, bootstrap_estimate, mean_estimate


def costs(cases: Sequence[Case], setting: str, name: str) -> np.ndarray:
    """Returns the costs of a policy over a setting's parameter sets (P); NaN where queues grow."""
    return np.array(
        [
            _cost(case, case.policies[name])
            for case in cases
            if case.setting == setting and name in case.policies
        ]
    )


def _cost(case: Case, examined: Examined) -> float:
    if case.chain is not None:
        return np.nan if examined.cost is None else examined.cost
    cost_R = examined.cost_R
    return np.nan if examined.grows or np.isnan(cost_R).all() else float(np.nanmean(cost_R))


def known(case: Case, name: str) -> float | None:
    """Returns a policy's cost with one parameter set; None where queues grow."""
    cost = _cost(case, case.policies[name])
    return None if np.isnan(cost) else cost


def units(cases: Sequence[Case], setting: str, names: Sequence[str]) -> np.ndarray | None:
    """Returns what an interval resamples, (U, X): parameter sets, or one set's simulated replications.

    Replications that failed under any of the policies count for none of them. None where a policy wasn't
    examined or is unstable.
    """
    found = [case for case in cases if case.setting == setting]
    if not found or any(name not in case.policies for case in found for name in names):
        return None
    cost_PX = np.stack([costs(cases, setting, name) for name in names], axis=1)
    if np.isnan(cost_PX).any():
        return None
    if found[0].chain is not None:
        return cost_PX
    columns = []
    for case in found:
        count = min(len(case.policies[name].replications) for name in names)
        cost_RX = np.stack([case.policies[name].cost_R[:count] for name in names], axis=1)
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
    return bootstrap_estimate(lambda p: p[..., 0].sum(-1) / p[..., 1].sum(-1) - 1, pair_UX, resampling(seed))


def summary(cases: Sequence[Case], setting: str, name: str, horizon: float, seed: int) -> Cost | None:
    """Returns a policy's cost in one setting; None where it wasn't examined.

    Args:
        cases: Parameter sets of all settings.
        setting: The setting.
        name: The policy.
        horizon: Simulated time of a replication; growth is given per unit of time.
        seed: Of the intervals.
    """
    found = [case for case in cases if case.setting == setting and name in case.policies]
    if not found:
        return None
    examined = [case.policies[name] for case in found]
    solved = found[0].chain is not None
    simulated = [one for one in examined if one.replications]
    replications = len(simulated[0].replications) if simulated else 0
    cost_U = units(cases, setting, (name,))
    if cost_U is None:
        growth = _growth(simulated, horizon)
        return Cost(
            mean=None, ci95=None, exact=False, unstable=True, replications=replications, growth=growth
        )
    interval = bootstrap_estimate(lambda p: p[..., 0].mean(-1), cost_U, resampling(seed))
    return Cost(
        mean=interval.mean,
        ci95=interval.ci95,
        exact=solved,
        replications=replications,
        simulated=_simulated(simulated) if solved else None,
        tabulated=min(one.tabulated for one in examined) if solved else None,
    )


def _growth(simulated: Sequence[Examined], horizon: float) -> Estimate | None:
    """Returns by how much the cost grows per unit of time, from the first to the second half."""
    means = [one.growth_R.mean() for one in simulated if len(one.growth_R)]
    growth_R = simulated[0].growth_R if len(simulated) == 1 else np.array(means)
    return mean_estimate(growth_R / (horizon / 2)) if len(growth_R) else None


def _simulated(simulated: Sequence[Examined]) -> Simulated | None:
    """Returns the simulated cost that confirms an exact one: the mean over sets of each replication."""
    if not simulated:
        return None
    cost_R = np.nanmean([one.cost_R for one in simulated], axis=0)
    found = mean_estimate(cost_R)
    return Simulated(mean=found.mean, ci95=found.ci95, replications=len(cost_R))


def resampling(seed: int) -> np.random.Generator:
    """Returns the random numbers of an interval's resamples, the same for every quantity."""
    return generator((seed, TEST, PLAN))
