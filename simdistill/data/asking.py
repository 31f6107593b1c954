"""What questions are made of: a lesson's states and labels, the task's words, and a way to simulate.

Axes: S states, C all choices of the process.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from simdistill.config import TaskConfig
from simdistill.envs.prompts import Prompter
from simdistill.executors import Map
from simdistill.simulation import Policy
from simdistill.simulation.situations import Situation


class Searched(Protocol):
    """A state in which every choice was tried."""

    @property
    def situation(self) -> Situation:
        """The decision."""
        ...

    @property
    def group(self) -> int:
        """The scenario that it belongs to."""
        ...


class Labels(Protocol):
    """What each choice costs in searched states, NaN where it isn't legal."""

    @property
    def names(self) -> Sequence[str]:
        """The choices (C)."""
        ...

    @property
    def costs_SC(self) -> np.ndarray:
        """Cost above the least one, in cost units, combined with a fit."""
        ...

    @property
    def errors_SC(self) -> np.ndarray:
        """Standard errors of `costs_SC`."""
        ...

    @property
    def simulated_SC(self) -> np.ndarray:
        """Simulated cost, relative to the mean over choices."""
        ...

    @property
    def simulated_errors_SC(self) -> np.ndarray:
        """Standard errors of `simulated_SC`."""
        ...


@dataclass(frozen=True)
class Asking:
    """What a kind of question makes its questions of.

    Attributes:
        task: The task.
        prompts: Puts states of the task into words.
        searched: The states (S) that questions are about.
        labels: Their labels.
        policy: The teacher's policy, fast enough for rollouts.
        demonstrated: A policy whose own choices are the answers; None where the choices of least cost are.
        split: "train" or "tune".
        round: 0 for the teacher's states, 1 and up for the student's own.
        compute: Runs simulations.
        forecast_futures: Simulated futures behind a distribution of outcomes.
        progress: Called with a phase, how much of it is done, and how much there is.
    """

    task: TaskConfig
    prompts: Prompter
    searched: Sequence[Searched]
    labels: Labels
    policy: Policy
    demonstrated: Policy | None = None
    split: str = "train"
    round: int = 0
    compute: Map = map
    forecast_futures: int = 1
    progress: Callable[[str, int, int], None] = lambda phase, done, total: None
