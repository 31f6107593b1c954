"""Summaries of the examined policies' costs, and the units that bootstrap intervals resample.

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
    """Returns the cost of a policy with each of a setting's parameter sets (P); NaN where queues grow."""
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
    """Returns the costs of policies in each unit that an interval resamples (U, X).

    The units are parameter sets; for a single set without exact costs they are its replications. Replications
    that failed under any of the policies are left out for all of them. Returns None if a policy wasn't
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
    """Returns by how much a policy's pooled cost exceeds the reference's, as a share of the reference's size.

    A reference that earns has a negative cost, so its absolute value is the size. The interval resamples
    `units`. Returns None if one of the policies wasn't examined or is unstable.
    """
    pair_UX = units(cases, setting, (name, reference))
    if pair_UX is None:
        return None

    def excess(p: np.ndarray) -> np.ndarray:
        own, best = p[..., 0].sum(-1), p[..., 1].sum(-1)
        return np.where(best < 0, 1 - own / best, own / best - 1)

    return bootstrap_estimate(excess, pair_UX, resampling(seed))


def summary(cases: Sequence[Case], setting: str, name: str, horizon: float, seed: int) -> Cost | None:
    """Returns a policy's cost in one setting; None if the policy wasn't examined there.

    Args:
        cases: Parameter sets of all settings.
        setting: The setting.
        name: The policy's name.
        horizon: Simulated time of a replication, by which the growth per unit of time is computed.
        seed: Seed of the bootstrap intervals.
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
    """Returns the growth of the cost per unit of time, from the first to the second half of replications."""
    means = [one.growth_R.mean() for one in simulated if len(one.growth_R)]
    growth_R = simulated[0].growth_R if len(simulated) == 1 else np.array(means)
    return mean_estimate(growth_R / (horizon / 2)) if len(growth_R) else None


def _simulated(simulated: Sequence[Examined]) -> Simulated | None:
    """Returns the simulated cost that confirms an exact one; None without simulation.

    Each replication is first averaged over the parameter sets.
    """
    if not simulated:
        return None
    cost_R = np.nanmean([one.cost_R for one in simulated], axis=0)
    found = mean_estimate(cost_R)
    return Simulated(mean=found.mean, ci95=found.ci95, replications=len(cost_R))


def resampling(seed: int) -> np.random.Generator:
    """Returns a generator for an interval's resamples, which are the same for every quantity."""
    return generator((seed, TEST, PLAN))
