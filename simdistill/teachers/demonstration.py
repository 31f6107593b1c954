"""Teaching by a policy's own choices; the costs of all choices are simulated under this policy."""

from dataclasses import replace
from functools import partial

from simdistill import registry
from simdistill.config import TaskConfig, TeacherConfig
from simdistill.envs.episodes import Failure
from simdistill.executors import Map
from simdistill.progress import Progress
from simdistill.simulation import TRAIN, Policy
from simdistill.teachers.cost_to_go import combine_with_fit
from simdistill.teachers.policies import named_policy
from simdistill.teachers.protocol import Lesson
from simdistill.teachers.state_search import search
from simdistill.teachers.store import kept_policy


class PolicyTeacher:
    """A policy of the simulator that teaches by its own choices."""

    Config = TeacherConfig

    def __init__(self, config: TeacherConfig, seed: int):
        self.config, self.seed = config, seed

    def teach(self, task: TaskConfig, compute: Map, progress: Progress) -> Lesson:
        """Searches states that the policy visits."""
        policy = named_policy(task.simulator, self.config.name)
        return demonstrate(task, self.config, self.seed, policy, compute, progress, self.config.name)


def demonstrate(
    task: TaskConfig,
    config: TeacherConfig,
    seed: int,
    policy: Policy,
    compute: Map,
    progress: Progress,
    title: str = "",
) -> Lesson:
    """Lets a policy teach by its own choices.

    Args:
        task: The task.
        config: The teacher's configuration, with the budget of one search.
        seed: Root seed.
        policy: Policy that plays the episodes, continues the branches, and gives the answers.
        compute: Function that runs simulations.
        progress: Function that shows the search's progress.
        title: Name of the policy in the progress, by default the teacher's name.

    Raises:
        InputError: The policy can't be saved in a run's folder.
    """
    kept_policy(policy, task.simulator)  # raises InputError before the search instead of after it
    failures: list[Failure] = []
    searched = search(
        task,
        config,
        (seed, TRAIN),
        1,
        config.scenarios,
        policy,
        compute,
        failures,
        partial(progress, f"demonstrate {title or config.name}"),
    )
    regression, labels = combine_with_fit(
        searched,
        seed,
        1,
        config.folds,
        config.combine_with_fit,
        config.shrink_variances,
        registry.load("simulators", task.simulator).observes,
    )
    regression = replace(regression, network=replace(regression.network, fallback=policy))
    return Lesson(
        task.simulator, policy, regression, searched, labels, failures=tuple(failures), demonstrated=policy
    )
