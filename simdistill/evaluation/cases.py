"""Cases of an examination: parameter sets with the results of each policy.

All policies get the same parameter sets and, in simulation, the same random numbers. Where the state is
Markov, costs are exact and simulation confirms them; elsewhere they are estimated by simulation.
Axes: S states, C choices.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from simdistill import mdp, registry
from simdistill.config import EvaluationConfig, TaskConfig
from simdistill.envs.scenarios import examination_sets
from simdistill.evaluation import exact
from simdistill.evaluation.examined import Examined
from simdistill.executors import Map
from simdistill.results import SETTINGS
from simdistill.simulation import Parameters, Policy

OPTIMUM = "optimum"
TITLES = {"untuned": "untuned student", OPTIMUM: "exact optimum"}


@dataclass
class Case:
    """One parameter set of the examination.

    Attributes:
        setting: One of `SETTINGS`.
        number: Index of the parameter set within the setting, from 0.
        params: The parameters.
        chain: The truncated Markov process; None where costs are estimated by simulation only.
        policies: Policy's name -> its results.
        failures: Messages of the replications that failed; these replications enter no result.
    """

    setting: str
    number: int
    params: Parameters
    chain: mdp.Solvable | None
    policies: dict[str, Examined] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @property
    def solved(self) -> mdp.Solvable:
        """The chain of a case that has one; else a `ValueError` is raised."""
        if self.chain is None:
            raise ValueError(f"{self.setting}, parameter set {self.number}, has no exact solution")
        return self.chain

    def stationary(self, name: str) -> np.ndarray:
        """Returns the probability of each state of the chain under a policy (S)."""
        stationary_S = self.policies[name].stationary_S
        if stationary_S is None:
            raise ValueError(f"{name} has no exact costs in {self.setting}, parameter set {self.number}")
        return stationary_S

    def examine(self, name: str, policy: Policy, fallback: Policy) -> None:
        """Examines one more policy, which must decide quickly, and adds its results to `policies`.

        Args:
            name: The policy's name.
            policy: The policy; it is evaluated in every state of the chain, or by simulation without a chain.
            fallback: The policy for states beyond the chain.
        """
        if self.chain is None:
            self.policies[name] = Examined(None, policy)
        else:
            self.policies[name] = exact.examine(self.chain, mdp.tabulate(self.chain, policy), fallback)


def draw(
    task: TaskConfig,
    evaluation: EvaluationConfig,
    compute: Map = map,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Case]:
    """Draws the parameter sets; examines the simulator's policies and, where it can be computed, the optimum.

    Args:
        task: The task.
        evaluation: Evaluation settings, with the number of parameter sets and their seed.
        compute: Map that solves the sets, possibly in worker processes.
        progress: Called with the number of finished sets and the number of all sets.
    """
    simulator = registry.load("simulators", task.simulator)
    sets = {
        "default": [simulator.parse(task.parameters.default)],
        **examination_sets(simulator, task.parameters, evaluation.seed, evaluation.parameter_sets),
    }
    plans = [
        (task, setting, number, params) for setting in SETTINGS for number, params in enumerate(sets[setting])
    ]
    cases = []
    progress(0, len(plans))
    for case in compute(_case, plans):
        cases.append(case)
        progress(len(cases), len(plans))
    return cases


def _case(plan: tuple[TaskConfig, str, int, Parameters]) -> Case:
    """Returns one case; this function runs in a worker process."""
    task, setting, number, params = plan
    simulator = registry.load("simulators", task.simulator)
    policies = registry.policies(task.simulator)
    if not mdp.solvable(simulator, task.kind):
        simulated = {
            name: Examined(None, None if name == "random" else policies[name]) for name in task.policies
        }
        return Case(setting, number, params, None, simulated)
    heuristic = policies[task.heuristic]
    chain = exact.chain(partial(simulator.markov, params), heuristic)
    case = Case(setting, number, params, chain)
    optimum_SC, _ = mdp.optimum(chain, mdp.tabulate(chain, heuristic))
    case.policies[OPTIMUM] = exact.examine(chain, optimum_SC, heuristic)
    for name in task.policies:
        if name == "random":
            case.policies[name] = exact.examine(chain, mdp.uniform_policy(chain), None)
        else:
            case.examine(name, policies[name], heuristic)
            case.policies[name].policy = policies[name]
    return case


def title(name: str) -> str:
    """Returns a policy's name as readers see it."""
    return TITLES.get(name, name.replace("_", " "))
