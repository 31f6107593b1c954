"""On-policy states: the student plays many episodes in parallel, and some of their states are returned."""

from collections.abc import Callable

from simdistill.config import DistillConfig, TaskConfig, TeacherConfig
from simdistill.envs.episodes import Failure, teaching_episode
from simdistill.errors import ProcessError
from simdistill.simulation.policies import Policy, decide_many
from simdistill.simulation.situations import Episode, Situation
from simdistill.simulation.streams import SeedPath


def visit(
    task: TaskConfig,
    teacher: TeacherConfig,
    distill: DistillConfig,
    root: SeedPath,
    number: int,
    policy: Policy,
    failures: list[Failure],
    progress: Callable[[int, int], None],
) -> dict[int, list[Situation]]:
    """Plays the episodes of a round and returns situations of them.

    Args:
        task: The task.
        teacher: The teacher's configuration, with the number of episodes that share their parameters.
        distill: Settings of distillation, with the number of states and the decisions between two of them.
        root: Root seed and split.
        number: Number that distinguishes the round from other searches of the split.
        policy: Policy that decides in all episodes at once.
        failures: List to which failed episodes are added; other episodes continue.
        progress: Called with the numbers of finished and of all decisions in each episode.

    Returns:
        Situations by the number of their scenario.
    """
    wanted, stride = distill.round_states_per_episode, distill.round_decisions_between + 1
    scenarios = -(-distill.round_questions // (wanted * teacher.episodes_per_scenario))
    playing = _started(task, teacher, root, number, scenarios, failures)
    met: dict[int, list[Situation]] = {scenario: [] for scenario in range(scenarios)}
    steps = wanted * stride
    progress(0, steps)
    for step in range(steps):
        waiting = [
            (played, s) for played in playing if (s := _next(played[1], failures, task.until)) is not None
        ]
        if (step + 1) % stride == 0:
            for (scenario, _), situation in waiting:
                met[scenario].append(situation)
        labels = decide_many(policy, [s.state for _, s in waiting], [s.choices for _, s in waiting])
        for ((_, episode), _), label in zip(waiting, labels, strict=True):
            episode.answer(label)
        playing = [played for played, _ in waiting]
        progress(step + 1, steps)
    return met


def _started(
    task: TaskConfig,
    teacher: TeacherConfig,
    root: SeedPath,
    number: int,
    scenarios: int,
    failures: list[Failure],
) -> list[tuple[int, Episode]]:
    """Starts the episodes; returns each with the number of its scenario."""
    started = []
    for scenario in range(scenarios):
        for episode in range(teacher.episodes_per_scenario):
            try:
                started.append((scenario, Episode(teaching_episode(task, root, number, scenario, episode))))
            except ProcessError as error:
                failures.append(Failure(list(error.seed_path), str(error)))
    return started


def _next(episode: Episode, failures: list[Failure], until: float) -> Situation | None:
    try:
        return episode.advance(until)
    except ProcessError as error:
        failures.append(Failure(list(error.seed_path), str(error)))
        return None
