"""What training left in a run's folder about itself: how much it took, and what failed meanwhile."""

from dataclasses import dataclass
from pathlib import Path

from simdistill.evaluation.learning_curve import history
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
    def read(cls, folder: Path) -> "TrainingRecord":
        """Reads the record of a run whose training is finished.

        Args:
            folder: The run's folder.
        """
        training = folder / "training"
        trained = read_json(folder / "distilled.json")
        own_states = [read_json(path) for path in sorted(training.glob("own-states-*.json"))]
        return cls(
            trained["questions"],
            trained["tokens"],
            sum(found["states"] for found in own_states),
            sum(found["simulator_steps"] for found in own_states),
            [
                failure["message"]
                for path in sorted(training.glob("failures-*.json"))
                for failure in read_json(path)
            ],
            [read_json(path)["steps"] for path in sorted(training.glob("round-*.json"))],
            _updates_by_reward(history(folder)),
        )


def _updates_by_reward(rows: list[dict]) -> RewardUpdates | None:
    """Returns how many updates rewarded samples, and in how many of them rewards differed within a group."""
    alike = [row["frac_reward_zero_std"] for row in rows if "frac_reward_zero_std" in row]
    return RewardUpdates(all=len(alike), with_gradient=sum(share < 1.0 for share in alike)) if alike else None
