"""The resources that a run's training used and the failures during it, read from the run's folder."""

from dataclasses import dataclass

from simdistill.config import RunConfig
from simdistill.evaluation.learning_curve import history
from simdistill.evaluation.run_files import RunFiles
from simdistill.files import read_json
from simdistill.results import RewardUpdates


@dataclass(frozen=True)
class TrainingRecord:
    """The resources that training used, and the failures during it.

    Attributes:
        questions: Number of questions that the student was trained on.
        tokens: Number of tokens in these questions.
        states: Number of on-policy states that were searched.
        simulator_steps: Number of decisions that were simulated to search these states.
        failures: Messages of the on-policy episodes that failed.
        updates: Number of optimizer steps in each stage of training.
        updates_by_reward: Numbers of updates by reward; None for methods without such updates.
    """

    questions: int
    tokens: int
    states: int
    simulator_steps: int
    failures: list[str]
    updates: list[int]
    updates_by_reward: RewardUpdates | None

    @classmethod
    def read(cls, config: RunConfig, files: RunFiles) -> "TrainingRecord":
        """Returns the record of a run whose training is finished.

        Args:
            config: The run's configuration.
            files: Paths of the run's files.
        """
        folders = [files.of_task(task.name) for task in config.tasks]
        trained = read_json(files.trained)
        on_policy = [
            read_json(path) for folder in folders for path in sorted(folder.glob("own-states-*.json"))
        ]
        failures = [read_json(path) for folder in folders for path in sorted(folder.glob("failures-*.json"))]
        return cls(
            trained["questions"],
            trained["tokens"],
            sum(found["states"] for found in on_policy),
            sum(found["simulator_steps"] for found in on_policy),
            [failure["message"] for found in failures for failure in found],
            [read_json(path)["steps"] for path in sorted(files.training.glob("round-*.json"))],
            _updates_by_reward(history(files.folder)),
        )


def _updates_by_reward(rows: list[dict]) -> RewardUpdates | None:
    """Returns the number of updates by reward, and of those in which rewards differed within a group."""
    alike = [row["frac_reward_zero_std"] for row in rows if "frac_reward_zero_std" in row]
    return RewardUpdates(all=len(alike), with_gradient=sum(share < 1.0 for share in alike)) if alike else None
