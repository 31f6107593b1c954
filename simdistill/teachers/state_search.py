"""What-if search: simulates the cost of each choice in states that a policy visits."""

from collections.abc import Callable, Sequence
from functools import partial

from simdistill import registry
from simdistill.config import TaskConfig, TeacherConfig
from simdistill.envs.episodes import Failure, explore, teaching_episode
from simdistill.errors import ProcessError
from simdistill.executors import Map
from simdistill.simulation import PLAN, Policy
from simdistill.simulation.branching import what_if
from simdistill.simulation.situations import Situation
from simdistill.simulation.streams import SeedPath, Streams
from simdistill.teachers.cost_to_go import Searched

GROUPS = 1_000_000
"""Number of group numbers that are reserved for the scenarios of one search."""


def search(
    task: TaskConfig,
    teacher: TeacherConfig,
    root: SeedPath,
    number: int,
    scenarios: int,
    policy: Policy,
    compute: Map,
    failures: list[Failure],
    progress: Callable[[int, int], None],
) -> list[Searched]:
    """Plays episodes with a policy and searches states that they visit.

    Args:
        task: The task.
        teacher: The teacher's configuration, with the budgets of the search.
        root: Root seed and split.
        number: Number that distinguishes searches of one split, e.g. the number of the generation.
        scenarios: Number of scenarios, each with its own parameters.
        policy: Policy that plays the episodes and continues the branches.
        compute: Function that runs simulations.
        failures: List to which failed episodes are added.
        progress: Called with the numbers of finished and of all scenarios.

    Raises:
        ProcessError: If no state was found, since every episode failed or had no decision.
    """
    visit = partial(_search_scenario, task, teacher, root, number, policy)
    searched: list[Searched] = []
    progress(0, scenarios)
    for scenario, found in enumerate(compute(visit, range(scenarios))):
        failures.extend(item for item in found if isinstance(item, Failure))
        searched.extend(item for item in found if isinstance(item, Searched))
        progress(scenario + 1, scenarios)
    if not searched:
        reason = failures[-1].message if failures else "it had no decision"
        raise ProcessError(
            task.simulator, root, 0.0, f"every teaching episode failed; the last one: {reason}"
        )
    return searched


def _search_scenario(
    task: TaskConfig, teacher: TeacherConfig, root: SeedPath, number: int, policy: Policy, scenario: int
) -> list[Searched | Failure]:
    """Plays the episodes of one scenario and searches situations that they visit."""
    found: list[Searched | Failure] = []
    for episode in range(teacher.episodes_per_scenario):
        try:
            model = teaching_episode(task, root, number, scenario, episode)
            met = explore(
                model,
                policy,
                teacher.random_actions,
                Streams((*model.seed_path, PLAN)),
                teacher.states_per_episode,
                teacher.decisions_between,
                teacher.decisions_before,
                task.until,
            )
            found += search_states(task, teacher, policy, number * GROUPS + scenario, met)
        except ProcessError as error:
            found.append(Failure(list(error.seed_path), str(error)))
    return found


def search_states(
    task: TaskConfig, teacher: TeacherConfig, policy: Policy, group: int, situations: Sequence[Situation]
) -> list[Searched]:
    """Simulates the choices in situations that share their parameters."""
    process, limits = registry.load("simulators", task.simulator), (teacher.futures, teacher.horizon)
    return [
        Searched(situation, what_if(process, situation, policy, *limits, until=task.until), group)
        for situation in situations
    ]


def search_group(
    task: TaskConfig, teacher: TeacherConfig, policy: Policy, group: tuple[int, Sequence[Situation]]
) -> list[Searched]:
    """Simulates the choices in a numbered group of situations that share their parameters."""
    number, situations = group
    return search_states(task, teacher, policy, number, situations)
