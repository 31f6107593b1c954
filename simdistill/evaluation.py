"""Examination: what every policy costs, exactly where the state is Markov, confirmed by simulation.

All policies meet the same parameter sets and, in simulation, the same random numbers. A model is asked in the
states that matter: those that hold all but a thousandth or so of the probability under its own policy.
Axes: S states, C choices, P parameter sets, R replications, X policies.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import numpy as np
from scipy.spatial import KDTree

from simdistill import exact, registry
from simdistill.compute import Map
from simdistill.config import EvaluationConfig, TaskConfig
from simdistill.process import PLAN, TEST, Parameters, Policy, Streams, generator, numbers
from simdistill.process.rollout import RandomPolicy, Replication, replicate
from simdistill.scenarios import examination_path, examination_sets
from simdistill.statistics import Interval, bootstrap_interval, mean_interval

SETTINGS = ("default", "in_distribution", "out_of_distribution")
SIZES = (40, 80, 120, 160)
NEGLIGIBLE = 1e-6
"""Probability of a truncation's boundary below which it doesn't matter."""
GROWING = 1e-3
"""Probability of the boundary from which on the queues are taken to grow without bound."""
MOST_ASKED = 1500
"""States in which a model is asked per parameter set at most; under an unstable policy all of them matter."""
UNSEEN = 1e-10
"""Probability below which no simulation of ours meets a state."""


class Asked(Protocol):
    """A policy that is asked many states at once."""

    def __call__(self, states: Sequence[dict]) -> list[str]: ...


@dataclass(frozen=True)
class Table:
    """A policy written out.

    Attributes:
        choices: Choice by the numbers of the state.
        limits: Largest value of each number; beyond, a state is taken for the one at the limit.
        elsewhere: Decides in states that are left out because they hardly ever occur.
    """

    choices: Mapping[tuple[float, ...], str]
    limits: tuple[float, ...]
    elsewhere: Policy

    def __call__(self, state: dict, choices: Sequence[str]) -> str:
        key = _key(state)
        choice = self.choices.get(key)
        if choice is None:
            choice = self.choices.get(tuple(map(min, key, self.limits)))
        return choice or self.elsewhere(state, choices)


@dataclass
class Cost:
    """Cost of one policy with one parameter set.

    Attributes:
        exact: Average cost; None where the queues grow.
        tabulated: Share of the probability in which the policy was asked itself.
        replications: Simulated replications, empty if it wasn't simulated.
    """

    exact: float | None
    tabulated: float = 1.0
    replications: list[Replication] = field(default_factory=list)

    @property
    def growth_R(self) -> np.ndarray:
        """Difference between the second and the first half of each replication."""
        return np.array([r.halves[1] - r.halves[0] for r in self.replications])


@dataclass
class Case:
    """One parameter set of the examination.

    Attributes:
        setting: default, in_distribution or out_of_distribution.
        number: Which one of the setting.
        params: The parameters.
        chain: The truncated Markov process.
        optimum_SC: The optimal policy.
        costs: Cost by policy.
        tables: Policies to simulate.
        stationary_S: Probability of the states by policy.
    """

    setting: str
    number: int
    params: Parameters
    chain: exact.MarkovProcess
    optimum_SC: np.ndarray
    costs: dict[str, Cost] = field(default_factory=dict)
    tables: dict[str, Policy] = field(default_factory=dict)
    stationary_S: dict[str, np.ndarray] = field(default_factory=dict)
    policies_SC: dict[str, np.ndarray] = field(default_factory=dict)


def prepare(
    task: TaskConfig,
    evaluation: EvaluationConfig,
    compute: Map = map,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Case]:
    """Draws the parameter sets and solves each for its optimum and the simulator's own policies."""
    simulator = registry.load("simulators", task.simulator)
    sets = {
        "default": [simulator.parse(task.parameters.default)],
        **examination_sets(simulator, task.parameters, evaluation.seed, evaluation.parameter_sets),
    }
    plans = [
        (task, setting, number, params) for setting in SETTINGS for number, params in enumerate(sets[setting])
    ]
    cases = []
    for case in compute(_case, plans):
        cases.append(case)
        progress(len(cases), len(plans))
    return cases


def _case(plan: tuple[TaskConfig, str, int, Parameters]) -> Case:
    task, setting, number, params = plan
    simulator = registry.load("simulators", task.simulator)
    policies = registry.policies(task.simulator)
    heuristic = policies[task.heuristic]
    build = partial(simulator.markov, params)
    fitting = exact.fitting_size(build, partial(_tabulated, heuristic), NEGLIGIBLE, SIZES)
    chain = fitting[0] if fitting else build(SIZES[-1])
    heuristic_SC = exact.tabulate(chain, heuristic)
    optimum_SC, _ = exact.optimum(chain, heuristic_SC)
    case = Case(setting, number, params, chain, optimum_SC)
    record(case, "optimum", optimum_SC, heuristic)
    for name in task.policies:
        if name == "random":
            record(case, name, exact.uniform_policy(chain), None)
        else:
            record(case, name, exact.tabulate(chain, policies[name]), heuristic)
            case.tables[name] = policies[name]
    return case


def _tabulated(policy: Policy, chain: exact.MarkovProcess) -> np.ndarray:
    return exact.tabulate(chain, policy)


def record(case: Case, name: str, policy_SC: np.ndarray, elsewhere: Policy | None) -> exact.Evaluation:
    """Evaluates a policy's table and keeps cost, distribution and table."""
    evaluation = exact.evaluate(case.chain, policy_SC)
    stable = evaluation.boundary < GROWING
    case.costs[name] = Cost(evaluation.cost if stable else None)
    case.stationary_S[name] = evaluation.stationary_S
    case.policies_SC[name] = policy_SC
    if elsewhere is not None:
        case.tables[name] = _table(case.chain, policy_SC, evaluation.stationary_S, elsewhere)
    return evaluation


def ask(
    case: Case,
    name: str,
    asked: Asked,
    elsewhere: Policy,
    mass: float,
    extra_S: np.ndarray | None = None,
) -> int:
    """Examines a policy that is costly to ask, in the states that its own rule leads to.

    In the remaining, rare states it is taken to do what it does in the nearest state in which it was asked.

    Args:
        case: The parameter set.
        name: Name of the policy.
        asked: Answers many states at once.
        elsewhere: Stands in for it beyond the truncation, in simulation.
        mass: Share of the stationary probability in which it is asked itself.
        extra_S: Further states in which it is asked, for the decision map.

    Returns:
        In how many states it was asked.
    """
    chain = case.chain
    place_SN = np.array([numbers(state) for state in chain.states])
    column_S = np.full(len(chain.states), -1)
    wanted_S = _core(case.stationary_S["optimum"], 0.99) | _scattered(place_SN)
    if extra_S is not None:
        wanted_S |= extra_S
    while True:
        rows = np.flatnonzero(wanted_S & (column_S < 0))
        column_S[rows] = [chain.labels.index(label) for label in asked([chain.states[int(r)] for r in rows])]
        known = np.flatnonzero(column_S >= 0)
        _, nearest_S = KDTree(place_SN[known]).query(place_SN)
        policy_SC = np.eye(len(chain.labels))[column_S[known[nearest_S]]]
        evaluation = exact.evaluate(chain, policy_SC)
        covered = float(evaluation.stationary_S[known].sum())
        if covered >= mass or len(known) >= MOST_ASKED:
            break
        wanted_S = _core(evaluation.stationary_S, mass + 0.3 * (1 - mass))
    record(case, name, policy_SC, elsewhere)
    case.costs[name].tabulated = covered
    return len(known)


def _scattered(place_SN: np.ndarray) -> np.ndarray:
    """Returns a few states from everywhere, so that no choice is carried far beyond where it was made."""
    rounded_SN = np.round(2 * np.log1p(np.abs(place_SN)))
    _, rows = np.unique(rounded_SN, axis=0, return_index=True)
    scattered_S = np.zeros(len(place_SN), dtype=bool)
    scattered_S[rows] = True
    return scattered_S


def _core(stationary_S: np.ndarray, mass: float) -> np.ndarray:
    """Returns the fewest states that hold a share of the probability."""
    order_S = np.argsort(-stationary_S, kind="stable")
    count = int(np.searchsorted(np.cumsum(stationary_S[order_S]), mass)) + 1
    core_S = np.zeros(len(stationary_S), dtype=bool)
    core_S[order_S[:count]] = True
    return core_S


def _table(
    process: exact.MarkovProcess, policy_SC: np.ndarray, stationary_S: np.ndarray, elsewhere: Policy
) -> Table:
    """Writes out the states that a simulation can come across; a table travels to every worker."""
    rows = np.flatnonzero(stationary_S > UNSEEN).tolist()
    labels = [process.labels[int(column)] for column in policy_SC[rows].argmax(axis=1)]
    choices = {_key(process.states[row]): label for row, label in zip(rows, labels, strict=True)}
    return Table(choices, tuple(map(max, zip(*map(_key, process.states), strict=True))), elsewhere)


def _key(state: dict) -> tuple[float, ...]:
    return tuple(numbers(state))


@dataclass(frozen=True)
class Plan:
    """One replication to simulate."""

    simulator: str
    params: Parameters
    policy: Policy | None
    seed: int
    replication: int
    warm_up: float
    horizon: float


def _simulate(plan: Plan) -> Replication:
    path = examination_path(plan.seed, plan.replication)
    policy = plan.policy or RandomPolicy(Streams((*path, PLAN)))
    return replicate(
        registry.load("simulators", plan.simulator), plan.params, policy, path, plan.warm_up, plan.horizon
    )


def confirm(
    task: TaskConfig,
    evaluation: EvaluationConfig,
    cases: Sequence[Case],
    compute: Map,
    progress: Callable[[int, int], None],
) -> None:
    """Simulates every policy on common random numbers; each case gets its replications.

    The default parameters get all replications, each drawn set a quarter of them.
    """
    plans, owners = [], []
    for case in cases:
        count = evaluation.replications if case.setting == "default" else max(2, evaluation.replications // 4)
        for name in case.costs:
            if name == "random" and case.setting != "default":
                continue
            for replication in range(count):
                plans.append(
                    Plan(
                        task.simulator,
                        case.params,
                        case.tables.get(name),
                        evaluation.seed,
                        replication,
                        task.warm_up,
                        task.horizon,
                    )
                )
                owners.append(case.costs[name])
    for done, (owner, result) in enumerate(zip(owners, compute(_simulate, plans), strict=True)):
        owner.replications.append(result)
        progress(done + 1, len(plans))


def costs(cases: Sequence[Case], setting: str, name: str) -> np.ndarray:
    """Returns the exact costs of a policy over a setting's parameter sets (P); NaN where queues grow."""
    found = [case.costs[name].exact for case in cases if case.setting == setting and name in case.costs]
    return np.array([np.nan if cost is None else cost for cost in found])


def over(cases: Sequence[Case], setting: str, name: str, reference: str, seed: int) -> Interval | None:
    """Returns pooled cost over the reference's, minus one; the interval resamples parameter sets.

    None where the policy wasn't examined or is unstable.
    """
    cost_P, reference_P = costs(cases, setting, name), costs(cases, setting, reference)
    if not len(cost_P) or np.isnan([*cost_P, *reference_P]).any():
        return None
    pair_PX = np.stack([cost_P, reference_P], axis=1)
    return bootstrap_interval(lambda p: p[..., 0].sum(-1) / p[..., 1].sum(-1) - 1, pair_PX, _random(seed))


def gap_closed(
    cases: Sequence[Case], setting: str, name: str, heuristic: str, reference: str, seed: int
) -> Interval | None:
    """Returns the share of the heuristic's gap to the reference that a policy closes.

    None where the gap's own interval includes zero, or a policy is unstable.
    """
    cost_PX = np.stack([costs(cases, setting, n) for n in (heuristic, name, reference)], axis=1)
    if np.isnan(cost_PX).any() or not len(cost_PX):
        return None
    gap = bootstrap_interval(lambda p: (p[..., 0] - p[..., 2]).sum(-1), cost_PX, _random(seed))
    if gap.low <= 0:
        return None
    return bootstrap_interval(
        lambda p: (p[..., 0] - p[..., 1]).sum(-1) / (p[..., 0] - p[..., 2]).sum(-1), cost_PX, _random(seed)
    )


def summary(cases: Sequence[Case], setting: str, name: str, horizon: float, seed: int) -> dict | None:
    """Returns a policy's entry of `metrics.json` for one setting; growth is per unit of time."""
    cost_P = costs(cases, setting, name)
    if not len(cost_P):
        return None
    owners = [case.costs[name] for case in cases if case.setting == setting]
    simulated = [owner.replications for owner in owners if owner.replications]
    entry: dict = {"mean": None, "ci95": None, "exact": True, "replications": 0, "simulated": None}
    unstable = bool(np.isnan(cost_P).any())
    if unstable:
        entry |= {"exact": False, "unstable": True}
    else:
        interval = bootstrap_interval(lambda p: p.mean(-1), cost_P, _random(seed))
        entry |= {**interval.as_dict(), "tabulated": min(owner.tabulated for owner in owners)}
    if simulated:
        entry["replications"] = len(simulated[0])
        if unstable:
            growth_R = np.mean([owner.growth_R for owner in owners if owner.replications], axis=0)
            growth_R = growth_R / (horizon / 2)
            entry["growth"] = mean_interval(growth_R).as_dict()
        else:
            cost_R = np.mean([[r.cost for r in replications] for replications in simulated], axis=0)
            entry["simulated"] = {**mean_interval(cost_R).as_dict(), "replications": len(cost_R)}
    return entry


def _random(seed: int) -> np.random.Generator:
    return generator((seed, TEST, PLAN))
