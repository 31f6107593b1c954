"""What-if search in generations, each of which tries to improve the policy of the generation before.

A generation visits states with the current policy, simulates the cost of each choice if the current policy
continues from there, and fits a fast policy to these costs. The new policy is accepted only if a paired
comparison shows that it is better. This is approximate policy iteration on simulated values (Temizöz, Imdahl,
Dijkman, Lamghari-Idrissi, van Jaarsveld: Deep Controlled Learning for Inventory Control, EJOR 2025).
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from pydantic import Field

from simdistill import registry
from simdistill.config import TaskConfig, TeacherConfig
from simdistill.envs.episodes import Failure
from simdistill.executors import Map
from simdistill.progress import Progress
from simdistill.simulation import TRAIN
from simdistill.statistics import Estimate
from simdistill.teachers.acceptance_test import compare
from simdistill.teachers.cost_to_go import Searched, combine_with_fit
from simdistill.teachers.policies import named_policy
from simdistill.teachers.protocol import Generation, Lesson
from simdistill.teachers.state_search import search


class SearchTeacher:
    """What-if search in generations that starts from a base policy.

    Args:
        config: Settings of the search, with its budgets.
        seed: Root seed.
    """

    class Config(TeacherConfig):
        """What-if search in generations that starts from a base policy."""

        generations: int = Field(default=3, ge=1, le=10, description="number of policy improvement steps")
        compared_sets: int = Field(
            default=40,
            ge=2,
            description="number of parameter sets on which a generation is compared with the one before: "
            "exactly if the state is Markov, else by simulation with common random numbers",
        )

    def __init__(self, config: Config, seed: int):
        self.config, self.seed = config, seed

    def teach(self, task: TaskConfig, compute: Map, progress: Progress) -> Lesson:
        """Searches generation after generation; the lesson's states are those of the last one.

        Args:
            task: The task.
            compute: Function that runs simulations.
            progress: Function that shows the progress of a generation's search.
        """
        config, seed = self.config, self.seed
        base = policy = named_policy(task.simulator, config.base)
        generations: list[Generation] = []
        failures: list[Failure] = []
        for number in range(1, config.generations + 1):
            searched = search(
                task,
                config,
                (seed, TRAIN),
                number,
                config.scenarios,
                policy,
                compute,
                failures,
                partial(progress, f"search, generation {number} of {config.generations}"),
            )
            progress(f"fit generation {number}", 0, 1)
            regression, labels = combine_with_fit(
                searched,
                seed,
                number,
                config.folds,
                config.combine_with_fit,
                config.shrink_variances,
                registry.load("simulators", task.simulator).observes,
            )
            progress(f"fit generation {number}", 1, 1)
            network = replace(regression.network, fallback=base)
            regression = replace(regression, network=network)
            compared = partial(progress, f"compare generation {number} with the one before")
            improvement = compare(
                task, seed, number, (policy, network), config.compared_sets, compute, compared
            )
            generations.append(_generation(number, improvement, searched))
            policy = network if generations[-1].accepted else policy
        return Lesson(
            task.simulator, policy, regression, searched, labels, tuple(generations), tuple(failures)
        )


def _generation(number: int, improvement: Estimate, searched: Sequence[Searched]) -> Generation:
    return Generation(
        number=number,
        accepted=improvement.high < 0,
        improvement=improvement,
        states=len(searched),
        decisions=sum(state.values.decisions for state in searched),
        coupled=float(np.mean([state.values.coupled_CK.mean() for state in searched])),
        unsettled=sum(state.values.unsettled for state in searched),
    )
