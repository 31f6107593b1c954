"""What training left in a run's folder about itself: how much it took, and what failed meanwhile."""

from dataclasses import dataclass

from simdistill.config import RunConfig
from simdistill.evaluation.learning_curve import history
from simdistill.evaluation.run_files import RunFiles
from simdistill.files import read_json
from simdistill.results import RewardUpdates


@dataclass(frozen=True)
class TrainingRecord:
    """What training took.

    Attributes:
        questions: Questions that the student was trained on.
        tokens: Tokens of them.
        states: On-policy states that were searched.
        simulator_steps: Decisions that their search simulated.
        failures: Why on-policy episodes failed.
        updates: Optimizer steps of each stage.
        updates_by_reward: Of those, the ones by reward; None for methods without.
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
        """Reads the record of a run whose training is finished.

        Args:
            config: The run.
            files: Where its files are.
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
    """Returns how many updates rewarded samples, and in how many of them rewards differed within a group."""
    alike = [row["frac_reward_zero_std"] for row in rows if "frac_reward_zero_std" in row]
    return RewardUpdates(all=len(alike), with_gradient=sum(share < 1.0 for share in alike)) if alike else None
