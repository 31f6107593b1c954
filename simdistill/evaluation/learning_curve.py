"""The learning curve of a run: what its student gives away on held-out questions, against what it took.

Regret is the mean over held-out questions of what the choices taken cost above the best ones, by the
simulator's values, in cost units. Axes: Q questions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simdistill import registry
from simdistill.config import RunConfig
from simdistill.data import store as questions
from simdistill.files import read_lines
from simdistill.simulation import PLAN, VALIDATION, Streams
from simdistill.simulation.policies import with_streams


@dataclass(frozen=True)
class Curve:
    """What a training needed.

    Attributes:
        points: Rows with `questions`, `tokens` and `seconds` of distilling, some with `tune_regret`.
        heuristic: The heuristic's regret on the same questions.
    """

    points: Sequence[dict]
    heuristic: float

    @property
    def examined(self) -> list[dict]:
        """The points at which held-out questions were asked."""
        return [point for point in self.points if "tune_regret" in point]

    def until(self, share: float) -> tuple[dict, bool]:
        """Returns the first point with at most a share of the heuristic's regret, else the last and False."""
        for point in self.examined:
            if point["tune_regret"] <= share * self.heuristic:
                return point, True
        return self.points[-1], False

    def ends_within(self, share: float) -> bool:
        """Returns whether the last point has at most a share of the heuristic's regret."""
        return self.examined[-1]["tune_regret"] <= share * self.heuristic


def rows(folder: Path) -> list[dict]:
    """Returns what was measured in training so far, with the seconds that it took."""
    measured, timed = folder / "metrics.jsonl", folder / "training" / "clock.jsonl"
    if not measured.exists():
        return []
    seconds = {row["step"]: row["seconds"] for row in read_lines(timed)}
    return [row | {"seconds": seconds[row["step"]]} for row in read_lines(measured)]


def heuristic_regret(config: RunConfig, folder: Path) -> float:
    """Returns the regret of the task's heuristic on a run's held-out questions."""
    policy = registry.policies(config.task.simulator)[config.task.heuristic]
    policy = with_streams(policy, Streams((config.seed, VALIDATION, PLAN)))
    held_out = questions.load(folder / "tune.parquet")[: config.distill.validation_questions]
    chosen_Q = [q.choices.index(policy(q.situation.state, q.choices)) for q in held_out]
    return float(np.mean([q.costs_C[choice] for q, choice in zip(held_out, chosen_Q, strict=True)]))


def curve(config: RunConfig, folder: Path) -> Curve:
    """Returns a run's curve up to now."""
    return Curve(rows(folder), heuristic_regret(config, folder))


def told(config: RunConfig, folder: Path) -> dict:
    """Returns the points with held-out questions, and the heuristic's regret, in plain values."""
    found, names = curve(config, folder), ("questions", "tokens", "seconds", "tune_regret", "tune_agreement")
    points = [{name: point[name] for name in names} for point in found.examined]
    return {"points": points, "heuristic": found.heuristic}
