"""On-policy states: the student plays many episodes in step, and its states are searched."""

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
    """Plays the episodes of a round.

    Args:
        task: The task.
        teacher: Says how many episodes share their parameters.
        distill: Says how many states are wanted, and how far apart.
        root: Root seed and split.
        number: Distinguishes the round from other searches of the split.
        policy: Decides, in all episodes at once.
        failures: Episodes that the process doesn't survive are added here; others go on.
        progress: Called with the decisions done and to be done in each episode.

    Returns:
        Situations by scenario.
    """
    wanted, stride = distill.round_states_per_episode, distill.round_decisions_between + 1
    scenarios = -(-distill.round_questions // (wanted * teacher.episodes_per_scenario))
    playing = _started(task, teacher, root, number, scenarios, failures)
    met: dict[int, list[Situation]] = {scenario: [] for scenario in range(scenarios)}
    steps = wanted * stride
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
    """Starts the episodes; each goes with the number of its scenario."""
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
