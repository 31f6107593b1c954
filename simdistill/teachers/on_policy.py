"""States that a student runs into: it plays many episodes in step, and is asked about all of them at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simdistill.config import DistillConfig, TaskConfig, TeacherConfig
from simdistill.envs.episodes import Failure, teaching_episode
from simdistill.errors import ProcessError
from simdistill.simulation import ProcessModel
from simdistill.simulation.situations import Situation
from simdistill.simulation.streams import SeedPath

Decide = Callable[[Sequence[dict], Sequence[Sequence[str]]], list[str]]
"""States and their legal choices -> choices taken."""


@dataclass
class _Episode:
    """An episode in play."""

    scenario: int
    model: ProcessModel
    actions: tuple[str, ...] = ()

    def advance(self) -> Situation | None:
        """Goes on to the next decision; None if there is none."""
        model = self.model
        decision = model.advance()
        if decision is None:
            return None
        state, choices = model.state(decision), tuple(decision.labels)
        return Situation(model.params, model.seed_path, self.actions, model.env.now, state, choices)

    def answer(self, label: str) -> None:
        """Takes a choice."""
        self.actions += (label,)
        self.model.answer(label)


def visit(
    task: TaskConfig,
    teacher: TeacherConfig,
    distill: DistillConfig,
    root: SeedPath,
    number: int,
    decide: Decide,
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
        decide: Answers for all episodes at once.
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
        waiting = [(episode, s) for episode in playing if (s := _next(episode, failures)) is not None]
        if (step + 1) % stride == 0:
            for episode, situation in waiting:
                met[episode.scenario].append(situation)
        labels = decide([s.state for _, s in waiting], [s.choices for _, s in waiting])
        for (episode, _), label in zip(waiting, labels, strict=True):
            episode.answer(label)
        playing = [episode for episode, _ in waiting]
        progress(step + 1, steps)
    return met


def _started(
    task: TaskConfig,
    teacher: TeacherConfig,
    root: SeedPath,
    number: int,
    scenarios: int,
    failures: list[Failure],
) -> list[_Episode]:
    started = []
    for scenario in range(scenarios):
        for episode in range(teacher.episodes_per_scenario):
            try:
                started.append(_Episode(scenario, teaching_episode(task, root, number, scenario, episode)))
            except ProcessError as error:
                failures.append(Failure(list(error.seed_path), str(error)))
    return started


def _next(episode: _Episode, failures: list[Failure]) -> Situation | None:
    try:
        return episode.advance()
    except ProcessError as error:
        failures.append(Failure(list(error.seed_path), str(error)))
        return None
