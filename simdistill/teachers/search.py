"""What-if search in generations: every generation improves on the policy that the one before found.

A generation visits states with the current policy, asks the simulator what each choice would cost if the
current policy went on from there, and fits a fast policy to the answers. It stands only if a paired
comparison shows that it is better. This is approximate policy iteration on simulated values (Temizöz, Imdahl,
Dijkman, Lamghari-Idrissi, van Jaarsveld: Deep Controlled Learning for Inventory Control, EJOR 2025).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from simdistill.config import TaskConfig, TeacherConfig
from simdistill.envs.episodes import Failure
from simdistill.executors import Map
from simdistill.simulation import TRAIN, Policy
from simdistill.statistics import Estimate
from simdistill.teachers.acceptance_test import compare
from simdistill.teachers.cost_to_go import Labels, Regression, Searched, denoise
from simdistill.teachers.policies import base_policy
from simdistill.teachers.state_search import search


@dataclass(frozen=True)
class Generation:
    """One step of policy improvement.

    Attributes:
        number: From 1.
        accepted: Whether the paired comparison shows an improvement.
        improvement: Relative cost change against the policy before, negative is better.
        states: Number of searched states.
        decisions: Simulated decisions spent.
        met: Share of futures in which all branches met.
    """

    number: int
    accepted: bool
    improvement: Estimate
    states: int
    decisions: int
    met: float


@dataclass(frozen=True)
class SearchTeacher:
    """What-if search in generations over a base policy.

    Attributes:
        policy: The best policy found, fast enough for rollouts.
        regression: The fit to the last search's values; its network is the policy itself if the last
            generation stands.
        generations: What every generation brought.
        failures: Episodes that the process didn't survive.
        demonstrates: Whether its answers are the policy's own and not the best simulated choices.
    """

    policy: Policy
    regression: Regression
    generations: tuple[Generation, ...]
    failures: tuple[Failure, ...]
    demonstrates: bool = False


@dataclass(frozen=True)
class Lesson:
    """The searched states of the last generation, to be learned from.

    Attributes:
        searched: Situations and values.
        labels: Their denoised values.
    """

    searched: list[Searched]
    labels: Labels


def improve(
    task: TaskConfig,
    teacher: TeacherConfig,
    seed: int,
    compute: Map,
    progress: Callable[[str, int, int], None],
) -> tuple[SearchTeacher, Lesson]:
    """Searches generation after generation.

    Args:
        task: The task.
        teacher: Budgets of the search.
        seed: Root seed.
        compute: Runs simulations.
        progress: Called with a phase, how much of it is done, and how much there is.
    """
    base: Policy = base_policy(task.simulator, teacher.base)
    policy = base
    generations: list[Generation] = []
    failures: list[Failure] = []
    for number in range(1, teacher.generations + 1):
        searched = search(
            task,
            teacher,
            (seed, TRAIN),
            number,
            teacher.scenarios,
            policy,
            compute,
            failures,
            partial(progress, f"search, generation {number} of {teacher.generations}"),
        )
        regression, labels = denoise(searched, seed, number, teacher.folds, teacher.denoise, teacher.moderate)
        regression = _elsewhere(regression, base)
        network = regression.network
        improvement = compare(task, seed, number, (policy, network), teacher.compared_sets, compute)
        generations.append(
            Generation(
                number=number,
                accepted=improvement.high < 0,
                improvement=improvement,
                states=len(searched),
                decisions=sum(s.values.decisions for s in searched),
                met=float(np.mean([s.values.coupled_CK.mean() for s in searched])),
            )
        )
        policy = network if generations[-1].accepted else policy
    teacher_found = SearchTeacher(policy, regression, tuple(generations), tuple(failures))
    return teacher_found, Lesson(searched, labels)


def demonstrate(
    task: TaskConfig,
    teacher: TeacherConfig,
    seed: int,
    compute: Map,
    progress: Callable[[str, int, int], None],
) -> tuple[SearchTeacher, Lesson]:
    """Lets a policy teach by its own choices; the simulator still says what each choice costs under it.

    Args:
        task: The task.
        teacher: Names the policy, and the budget of one search.
        seed: Root seed.
        compute: Runs simulations.
        progress: Called with a phase, how much of it is done, and how much there is.
    """
    policy = base_policy(task.simulator, teacher.played)
    failures: list[Failure] = []
    met = partial(progress, f"demonstrate {teacher.played}")
    searched = search(task, teacher, (seed, TRAIN), 1, teacher.scenarios, policy, compute, failures, met)
    regression, labels = denoise(searched, seed, 1, teacher.folds, teacher.denoise, teacher.moderate)
    regression = _elsewhere(regression, policy)
    found = SearchTeacher(policy, regression, (), tuple(failures), demonstrates=True)
    return found, Lesson(searched, labels)


def _elsewhere(regression: Regression, policy: Policy) -> Regression:
    """Leaves states of another form to a policy."""
    return replace(regression, network=replace(regression.network, fallback=policy))
