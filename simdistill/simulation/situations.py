"""Situations: decisions that can be brought about again."""

from dataclasses import dataclass

from simdistill.simulation.parameters import Parameters
from simdistill.simulation.streams import SeedPath


@dataclass(frozen=True)
class Situation:
    """A decision that can be brought about again.

    Attributes:
        params: The process's parameters.
        path: Seed path of the episode.
        actions: Answers before this decision.
        time: Simulated time.
        state: What the decider observes.
        choices: Labels of the legal choices.
    """

    params: Parameters
    path: SeedPath
    actions: tuple[str, ...]
    time: float
    state: dict
    choices: tuple[str, ...]
