"""Examination by simulation: every policy is simulated in the same replications, on common random numbers."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from simdistill import registry
from simdistill.config import EvaluationConfig, TaskConfig
from simdistill.envs.scenarios import examination_path
from simdistill.errors import ProcessError
from simdistill.evaluation.cases import Case
from simdistill.evaluation.examined import Examined
from simdistill.executors import Map
from simdistill.simulation import PLAN, Parameters, Policy, Streams
from simdistill.simulation.policies import RandomPolicy, decide_many, with_streams
from simdistill.simulation.replication import Replication
from simdistill.simulation.rollout import replicate, replication_steps
from simdistill.simulation.streams import SeedPath


@dataclass(frozen=True)
class Plan:
    """One replication to simulate.

    Attributes:
        task: The task.
        params: The parameters.
        policy: The policy that decides; None for random decisions.
        seed: Seed of the test tree.
        replication: Number of the replication, from 0.
    """

    task: TaskConfig
    params: Parameters
    policy: Policy | None
    seed: int
    replication: int

    @property
    def path(self) -> SeedPath:
        """Seed path of the replication, which is the same for every policy."""
        return examination_path(self.seed, self.replication)

    def steps(self) -> Generator[tuple[dict, list[str]], str, Replication]:
        """Returns a generator that yields each decision's state and choices and is sent the choice.

        The generator returns the replication.
        """
        task = self.task
        model = registry.load("simulators", task.simulator)(self.params, self.path)
        return replication_steps(model, task.warm_up, task.horizon, task.kind == "terminating")


def simulate(plan: Plan) -> Replication | str:
    """Returns the replication, or the message of its failure; this function runs in a worker process."""
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
    """Simulates every policy that hasn't been simulated yet, and adds the replications to its results.

    The default parameters get all replications, each drawn parameter set a quarter of them. Where costs are
    exact, random decisions are simulated with the default parameters only.

    Args:
        task: The task.
        evaluation: Evaluation settings, with the number of replications.
        cases: Parameter sets with the policies to simulate; changed in place.
        compute: Map that runs simulations, possibly in worker processes.
        progress: Called with the number of finished replications and the number of all replications.
    """
    plans, owners = [], []
    for case in cases:
        for name, examined in case.policies.items():
            if examined.replications or (name == "random" and case.setting != "default" and case.chain):
                continue
            for replication in range(_count(evaluation, case)):
                plans.append(Plan(task, case.params, examined.policy, evaluation.seed, replication))
                owners.append((case, examined))
    if plans:
        progress(0, len(plans))
    for done, ((case, examined), result) in enumerate(zip(owners, compute(simulate, plans), strict=True)):
        if isinstance(result, str):
            case.failures.append(result)
        examined.replications.append(None if isinstance(result, str) else result)
        progress(done + 1, len(plans))


def play_in_step(
    task: TaskConfig,
    evaluation: EvaluationConfig,
    cases: Sequence[Case],
    name: str,
    policy: Policy,
    progress: Callable[[int, int], None],
    most: int | None = None,
) -> None:
    """Simulates a policy that is costly to query: all replications advance together, with batched queries.

    Args:
        task: The task.
        evaluation: Evaluation settings, with the number of replications.
        cases: Parameter sets, to which the policy's results are added.
        name: The policy's name.
        policy: The policy.
        progress: Called with the number of finished replications and the number of all replications.
        most: Number of replications for each case, if fewer than for other policies.
    """
    games: list[_Game] = []
    for case in cases:
        examined = case.policies[name] = Examined(None)
        for replication in range(min(most or _count(evaluation, case), _count(evaluation, case))):
            examined.replications.append(None)
            plan = Plan(task, case.params, None, evaluation.seed, replication)
            games.append(_Game(case, examined, replication, plan))
    total = len(games)
    progress(0, total)
    games = [game for game in games if game.go()]
    while games:
        labels = decide_many(policy, [game.state for game in games], [game.choices for game in games])
        for game, label in zip(games, labels, strict=True):
            if game.case.setting == "default":
                game.examined.note(game.state, game.choices, label)
        games = [game for game, label in zip(games, labels, strict=True) if game.go(label)]
        progress(total - len(games), total)


class _Game:
    """A replication that is being simulated step by step."""

    def __init__(self, case: Case, examined: Examined, number: int, plan: Plan):
        self.case, self.examined, self.number, self.plan = case, examined, number, plan
        self.state: dict = {}
        self.choices: list[str] = []
        self._steps: Generator[tuple[dict, list[str]], str, Replication] | None = None

    def go(self, label: str | None = None) -> bool:
        """Starts the replication or continues it with a choice; returns False once it has ended or failed."""
        try:
            if self._steps is None:
                self._steps = self.plan.steps()
                self.state, choices = next(self._steps)
            else:
                self.state, choices = self._steps.send(label or "")
        except StopIteration as end:
            self.examined.replications[self.number] = end.value
            return False
        except ProcessError as error:
            self.case.failures.append(str(error))
            return False
        self.choices = list(choices)
        return True


def _count(evaluation: EvaluationConfig, case: Case) -> int:
    return evaluation.replications if case.setting == "default" else max(2, evaluation.replications // 4)
