"""A teacher: a captain who goes when the cars that wait are worth the fuel."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field

from simdistill.config import TeacherConfig
from simdistill.teachers.demonstration import demonstrate


@dataclass(frozen=True)
class Balanced:
    """Goes when the waiting cars' cost during a crossing is at least a share of the fuel.

    Attributes:
        share: Of the fuel.
    """

    share: float

    def __call__(self, state: dict, choices: Sequence[str]) -> str:
        """Decides."""
        return "go" if state["waiting"] * state["crossing"] >= self.share * state["fuel"] else "wait"

    def as_json(self) -> dict:
        """Returns what `from_json` takes."""
        return {"share": self.share}

    @classmethod
    def from_json(cls, plain: dict) -> "Balanced":
        """Returns the policy again."""
        return cls(**plain)


class Captain:
    """A captain who goes when the cars that wait are worth alpha times the fuel."""

    class Config(TeacherConfig):
        """The captain's own field beside those of all teachers."""

        alpha: float = Field(default=1.0, gt=0, description="share of the fuel that must wait")

    def __init__(self, config: Config, seed: int):
        self.config, self.seed = config, seed

    def teach(self, task, compute, progress):
        """Demonstrates the captain's policy."""
        policy = Balanced(self.config.alpha)
        return demonstrate(task, self.config, self.seed, policy, compute, progress)
