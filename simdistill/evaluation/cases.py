"""Cases of an examination: parameter sets, and what was found of each policy with them.

All policies meet the same parameter sets and, in simulation, the same random numbers. Where the state is
Markov, costs are exact and simulation confirms them; elsewhere they are known by simulation.
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
        number: Which one of the setting.
        params: The parameters.
        chain: The truncated Markov process; None where costs are known by simulation only.
        policies: What was found of each policy, by its name.
        failures: Why replications failed; failed replications count nowhere.
    """

    setting: str
    number: int
    params: Parameters
    chain: mdp.Solvable | None
    policies: dict[str, Examined] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @property
    def solved(self) -> mdp.Solvable:
        """The chain, where there is one."""
        if self.chain is None:
            raise ValueError(f"{self.setting} {self.number} has no exact solution")
        return self.chain

    def stationary(self, name: str) -> np.ndarray:
        """Returns the probability of each state of the chain under a policy (S)."""
        stationary_S = self.policies[name].stationary_S
        if stationary_S is None:
            raise ValueError(f"{name} has no exact solution with {self.setting} {self.number}")
        return stationary_S

    def examine(self, name: str, policy: Policy, fallback: Policy) -> None:
        """Examines one more policy that decides quickly.

        Args:
            name: Its name.
            policy: It decides in every state of the chain, or in simulation alone if there is no chain.
            fallback: Decides in states beyond the chain.
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
    """Draws the parameter sets; examines the simulator's policies and, where it can be known, the optimum.

    Args:
        task: The task.
        evaluation: Says how many sets there are, and their seed.
        compute: Solves the sets.
        progress: Called with the sets that are done, and how many there are.
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
    for case in compute(_case, plans):
        cases.append(case)
        progress(len(cases), len(plans))
    return cases


def _case(plan: tuple[TaskConfig, str, int, Parameters]) -> Case:
    """Returns one case; this runs in a worker."""
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
    """Returns what people call a policy."""
    return TITLES.get(name, name.replace("_", " "))
