"""Examination: what every policy costs, exactly where the state is Markov, else by simulation.

All policies meet the same parameter sets and, in simulation, the same random numbers. Where costs are exact,
simulation confirms them, and a model is asked in the states that matter: those that hold all but a thousandth
or so of the probability under its own policy. Elsewhere it plays all replications in step.
Axes: S states, C choices, N numbers of a state, R replications.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from scipy.spatial import KDTree

from simdistill import mdp, registry
from simdistill.config import EvaluationConfig, TaskConfig
from simdistill.envs.scenarios import examination_path, examination_sets
from simdistill.errors import ProcessError
from simdistill.executors import Map
from simdistill.simulation import PLAN, Parameters, Policy, ProcessModel, Streams
from simdistill.simulation.policies import RandomPolicy, decide_many, with_streams
from simdistill.simulation.replication import Replication
from simdistill.simulation.rollout import replicate, replication_steps
from simdistill.simulation.states import key, matrix
from simdistill.simulation.streams import SeedPath
from simdistill.statistics import mean_estimate

SETTINGS = ("default", "in_distribution", "out_of_distribution")
OPTIMUM = "optimum"
SIZES = (40, 80, 120, 160)
NEGLIGIBLE = 1e-6
"""Probability of a truncation's boundary below which it doesn't matter."""
GROWING = 1e-3
"""Probability of the boundary from which on the queues are taken to grow without bound."""
MOST_ASKED = 1500
"""States in which a model is asked per parameter set at most; under an unstable policy all of them matter."""
UNSEEN = 1e-10
"""Probability below which no simulation of ours meets a state."""


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
        place = key(state)
        choice = self.choices.get(place)
        if choice is None:
            choice = self.choices.get(tuple(map(min, place, self.limits)))
        return choice or self.elsewhere(state, choices)


@dataclass
class Cost:
    """Cost of one policy with one parameter set.

    Attributes:
        exact: Average cost; None where the queues grow, or where costs are known by simulation only.
        tabulated: Share of the probability in which the policy was asked itself.
        replications: Simulated replications, empty if it wasn't simulated; None where one failed.
    """

    exact: float | None
    tabulated: float = 1.0
    replications: list[Replication | None] = field(default_factory=list)

    @property
    def cost_R(self) -> np.ndarray:
        """Cost of each replication; NaN where it failed."""
        return np.array([np.nan if r is None else r.cost for r in self.replications])

    @property
    def growth_R(self) -> np.ndarray:
        """Difference between the second and the first half of each replication that didn't fail."""
        return np.array([r.halves[1] - r.halves[0] for r in self.replications if r is not None and r.halves])

    @property
    def grows(self) -> bool:
        """Whether the simulated cost still grows by half from the first to the second half."""
        growth_R = self.growth_R
        if len(growth_R) < 2 or self.exact is not None:
            return False
        cost = float(np.nanmean(self.cost_R))
        return mean_estimate(growth_R).low > 0 and float(growth_R.mean()) > 0.4 * abs(cost)


@dataclass
class Case:
    """One parameter set of the examination.

    Attributes:
        setting: default, in_distribution or out_of_distribution.
        number: Which one of the setting.
        params: The parameters.
        chain: The truncated Markov process; None where costs are known by simulation only.
        costs: Cost by policy.
        tables: Policies to simulate.
        stationary_S: Probability of the states by policy.
        policies_SC: Policies as tables.
        failures: What replications failed of; they count nowhere.
    """

    setting: str
    number: int
    params: Parameters
    chain: mdp.Solvable | None
    costs: dict[str, Cost] = field(default_factory=dict)
    tables: dict[str, Policy] = field(default_factory=dict)
    stationary_S: dict[str, np.ndarray] = field(default_factory=dict)
    policies_SC: dict[str, np.ndarray] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @property
    def solved(self) -> mdp.Solvable:
        """The chain, where there is one."""
        if self.chain is None:
            raise ValueError(f"{self.setting} {self.number} has no exact solution")
        return self.chain


def prepare(
    task: TaskConfig,
    evaluation: EvaluationConfig,
    compute: Map = map,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Case]:
    """Draws the parameter sets; where it can, solves each for optimum and the simulator's own policies."""
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
    if not mdp.solvable(simulator, task.kind):
        case = Case(setting, number, params, None)
        for name in task.policies:
            case.costs[name] = Cost(None)
            if name != "random":
                case.tables[name] = policies[name]
        return case
    heuristic = policies[task.heuristic]
    build = partial(simulator.markov, params)
    fitting = mdp.fitting_size(build, partial(_tabulated, heuristic), NEGLIGIBLE, SIZES)
    chain = fitting[0] if fitting else build(SIZES[-1])
    case = Case(setting, number, params, chain)
    optimum_SC, _ = mdp.optimum(chain, mdp.tabulate(chain, heuristic))
    record(case, OPTIMUM, optimum_SC, heuristic)
    for name in task.policies:
        if name == "random":
            record(case, name, mdp.uniform_policy(chain), None)
        else:
            record(case, name, mdp.tabulate(chain, policies[name]), heuristic)
            case.tables[name] = policies[name]
    return case


def _tabulated(policy: Policy, chain: mdp.Solvable) -> np.ndarray:
    return mdp.tabulate(chain, policy)


def add(case: Case, name: str, policy: Policy, elsewhere: Policy) -> None:
    """Examines one more policy that is quick to ask."""
    if case.chain is None:
        case.costs[name], case.tables[name] = Cost(None), policy
    else:
        record(case, name, mdp.tabulate(case.chain, policy), elsewhere)


def record(case: Case, name: str, policy_SC: np.ndarray, elsewhere: Policy | None) -> mdp.Evaluation:
    """Evaluates a policy's table and keeps cost, distribution and table."""
    evaluation = mdp.evaluate(case.solved, policy_SC)
    stable = evaluation.boundary < GROWING
    case.costs[name] = Cost(evaluation.cost if stable else None)
    case.stationary_S[name] = evaluation.stationary_S
    case.policies_SC[name] = policy_SC
    if elsewhere is not None:
        case.tables[name] = _table(case.solved, policy_SC, evaluation.stationary_S, elsewhere)
    return evaluation


def ask(
    case: Case,
    name: str,
    policy: Policy,
    elsewhere: Policy,
    mass: float,
    extra_S: np.ndarray | None = None,
    most: int | None = None,
) -> int:
    """Examines a policy that is costly to ask, in the states that its own rule leads to.

    In the remaining, rare states it is taken to do what it does in the nearest state in which it was asked.
    Where there is one choice only nobody is asked.

    Args:
        case: The parameter set.
        name: Name of the policy.
        policy: Decides.
        elsewhere: Stands in for it beyond the truncation, in simulation.
        mass: Share of the stationary probability in which it is asked itself.
        extra_S: Further states in which it is asked, for the decision map.
        most: States that are added at once, the most probable ones, if answers have a price.

    Returns:
        In how many states it was asked.
    """
    chain = case.solved
    legal_SC = mdp.legal(chain)
    place_SN = matrix(chain.states)
    column_S = np.full(len(chain.states), -1)
    forced_S = legal_SC.sum(axis=1) == 1
    uniform_SC = mdp.uniform_policy(chain)  # where the nearest state's choice isn't legal
    wanted_S = _core(case.stationary_S[OPTIMUM], mass) | _scattered(place_SN)
    if extra_S is not None:
        wanted_S |= extra_S
    while True:
        rows = np.flatnonzero(wanted_S & ~forced_S & (column_S < 0))
        choices = [[label for label, c in zip(chain.labels, legal_SC[r], strict=True) if c] for r in rows]
        labels = decide_many(policy, [chain.states[int(r)] for r in rows], choices)
        column_S[rows] = [chain.labels.index(label) for label in labels]
        known = np.flatnonzero(column_S >= 0)
        _, nearest_S = KDTree(place_SN[known]).query(place_SN)
        policy_SC = np.eye(len(chain.labels))[column_S[known[nearest_S]]]
        policy_SC = np.where((policy_SC * legal_SC).any(axis=1, keepdims=True), policy_SC, uniform_SC)
        evaluation = mdp.evaluate(chain, policy_SC)
        covered = float(evaluation.stationary_S[forced_S | (column_S >= 0)].sum())
        if covered >= mass or len(known) >= MOST_ASKED:
            break
        wanted_S = _core(evaluation.stationary_S, mass + 0.3 * (1 - mass), most)
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


def _core(stationary_S: np.ndarray, mass: float, most: int | None = None) -> np.ndarray:
    """Returns the fewest states that hold a share of the probability, or the `most` most probable ones."""
    order_S = np.argsort(-stationary_S, kind="stable")
    count = int(np.searchsorted(np.cumsum(stationary_S[order_S]), mass)) + 1
    core_S = np.zeros(len(stationary_S), dtype=bool)
    core_S[order_S[: min(count, most or count)]] = True
    return core_S


def _table(
    process: mdp.Solvable, policy_SC: np.ndarray, stationary_S: np.ndarray, elsewhere: Policy
) -> Table:
    """Writes out the states that a simulation can come across; a table travels to every worker."""
    rows = np.flatnonzero(stationary_S > UNSEEN).tolist()
    labels = [process.labels[int(column)] for column in policy_SC[rows].argmax(axis=1)]
    choices = {key(process.states[row]): label for row, label in zip(rows, labels, strict=True)}
    return Table(choices, tuple(map(max, zip(*map(key, process.states), strict=True))), elsewhere)


@dataclass(frozen=True)
class Plan:
    """One replication to simulate.

    Attributes:
        task: The task.
        params: Parameters.
        policy: Decides; None for random decisions.
        seed: Of the test tree.
        replication: Which one.
    """

    task: TaskConfig
    params: Parameters
    policy: Policy | None
    seed: int
    replication: int

    @property
    def path(self) -> SeedPath:
        """Seed path: the same for every policy."""
        return examination_path(self.seed, self.replication)

    def model(self) -> ProcessModel:
        """Starts the process."""
        return registry.load("simulators", self.task.simulator)(self.params, self.path)

    def replication_steps(self, model: ProcessModel) -> Generator[tuple[dict, list[str]], str, Replication]:
        """Plays it with decisions from outside."""
        return replication_steps(model, self.task.warm_up, self.task.horizon, self.task.kind == "terminating")


def _simulate(plan: Plan) -> Replication | str:
    """Returns the replication, or what it failed of."""
    own = Streams((*plan.path, PLAN))
    policy = with_streams(plan.policy, own) if plan.policy else RandomPolicy(own)
    try:
        return replicate(
            registry.load("simulators", plan.task.simulator),
            plan.params,
            policy,
            plan.path,
            plan.task.warm_up,
            plan.task.horizon,
            plan.task.kind == "terminating",
        )
    except ProcessError as error:
        return str(error)


def confirm(
    task: TaskConfig,
    evaluation: EvaluationConfig,
    cases: Sequence[Case],
    compute: Map,
    progress: Callable[[int, int], None],
) -> None:
    """Simulates every policy on common random numbers that isn't simulated yet.

    The default parameters get all replications, each drawn set a quarter of them.
    """
    plans, owners = [], []
    for case in cases:
        for name, cost in case.costs.items():
            if cost.replications or (name == "random" and case.setting != "default" and case.chain):
                continue
            for replication in range(_count(evaluation, case)):
                plans.append(Plan(task, case.params, case.tables.get(name), evaluation.seed, replication))
                owners.append((case, cost))
    for done, ((case, cost), result) in enumerate(zip(owners, compute(_simulate, plans), strict=True)):
        _keep(case, cost, result)
        progress(done + 1, len(plans))


def accompany(
    task: TaskConfig,
    evaluation: EvaluationConfig,
    cases: Sequence[Case],
    name: str,
    policy: Policy,
    progress: Callable[[int, int], None],
    most: int | None = None,
) -> None:
    """Simulates a policy that is costly to ask: all its replications go on in step, asked at once.

    Args:
        task: The task.
        evaluation: Says how many replications there are.
        cases: Parameter sets.
        name: Name of the policy.
        policy: Decides.
        progress: Called with the replications that have ended, and how many there are.
        most: Replications of each case, if fewer than of the other policies.
    """
    open_games: list[_Game] = []
    for case in cases:
        cost = case.costs[name] = Cost(None)
        for replication in range(min(most or _count(evaluation, case), _count(evaluation, case))):
            cost.replications.append(None)
            plan = Plan(task, case.params, None, evaluation.seed, replication)
            open_games.append(_Game(case, cost, replication, plan))
    total = len(open_games)
    open_games = [game for game in open_games if game.go()]
    while open_games:
        labels = decide_many(
            policy, [game.state for game in open_games], [game.choices for game in open_games]
        )
        open_games = [game for game, label in zip(open_games, labels, strict=True) if game.go(label)]
        progress(total - len(open_games), total)


class _Game:
    """A replication in play."""

    def __init__(self, case: Case, cost: Cost, number: int, plan: Plan):
        self.case, self.cost, self.number, self.plan = case, cost, number, plan
        self.state: dict = {}
        self.choices: list[str] = []
        self._playing: Generator[tuple[dict, list[str]], str, Replication] | None = None

    def go(self, label: str | None = None) -> bool:
        """Starts, or answers the last question; False when the replication has ended or failed."""
        try:
            if self._playing is None:
                self._playing = self.plan.replication_steps(self.plan.model())
                self.state, choices = next(self._playing)
            else:
                self.state, choices = self._playing.send(label or "")
        except StopIteration as end:
            self.cost.replications[self.number] = end.value
            return False
        except ProcessError as error:
            self.case.failures.append(str(error))
            return False
        self.choices = list(choices)
        return True


def _count(evaluation: EvaluationConfig, case: Case) -> int:
    return evaluation.replications if case.setting == "default" else max(2, evaluation.replications // 4)


def _keep(case: Case, cost: Cost, result: Replication | str) -> None:
    if isinstance(result, str):
        case.failures.append(result)
    cost.replications.append(None if isinstance(result, str) else result)
