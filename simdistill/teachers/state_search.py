"""What-if search in states: what the simulator says about each choice."""

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
"""Room for the episodes of one search in the numbers of groups."""


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
    """Plays episodes with a policy and searches the states that they meet.

    Args:
        task: The task.
        teacher: Budgets of the search.
        root: Root seed and split.
        number: Distinguishes several searches of one split: the generation, the tuning states.
        scenarios: How many parameters to draw.
        policy: Plays, and continues the branches.
        compute: Runs simulations.
        failures: Episodes that the process doesn't survive are added here.
        progress: Called with the scenarios done and to be done.

    Raises:
        ProcessError: If every episode failed.
    """
    visit = partial(_search_scenario, task, teacher, root, number, policy)
    searched: list[Searched] = []
    for scenario, found in enumerate(compute(visit, range(scenarios))):
        failures.extend(item for item in found if isinstance(item, Failure))
        searched.extend(item for item in found if isinstance(item, Searched))
        progress(scenario + 1, scenarios)
    if not searched:
        reason = failures[-1].message if failures else "no decision was met"
        raise ProcessError(
            task.simulator, root, 0.0, f"every teaching episode failed; the last one: {reason}"
        )
    return searched


def _search_scenario(
    task: TaskConfig, teacher: TeacherConfig, root: SeedPath, number: int, policy: Policy, scenario: int
) -> list[Searched | Failure]:
    """Plays the episodes of one scenario and searches the situations that they meet."""
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
    """Searches situations that share their parameters."""
    process, limits = registry.load("simulators", task.simulator), (teacher.futures, teacher.horizon)
    return [
        Searched(situation, what_if(process, situation, policy, *limits, until=task.until), group)
        for situation in situations
    ]


def search_group(
    task: TaskConfig, teacher: TeacherConfig, policy: Policy, group: tuple[int, Sequence[Situation]]
) -> list[Searched]:
    """Searches a numbered group of situations that share their parameters."""
    number, situations = group
    return search_states(task, teacher, policy, number, situations)
