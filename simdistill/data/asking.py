"""Inputs from which questions are made: a lesson's states and labels, prompts, and a way to simulate.

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
    """A state in which every choice was simulated."""

    @property
    def situation(self) -> Situation:
        """The situation of the decision."""
        ...

    @property
    def group(self) -> int:
        """Number of the state's scenario."""
        ...


class Labels(Protocol):
    """Cost of each choice in searched states, NaN if the choice isn't legal."""

    @property
    def names(self) -> Sequence[str]:
        """Labels of the choices (C)."""
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
    """Inputs from which a kind of question makes its questions.

    Attributes:
        task: The task.
        prompts: Prompter, which describes states of the task in words.
        searched: The states (S) that questions are about.
        labels: Labels of the states: costs of their choices.
        policy: The teacher's policy, fast enough for rollouts.
        demonstrated: Policy whose own choices are the answers; None if the choices of least cost are.
        split: "train" or "tune".
        round: 0 for the teacher's states, 1 and up for the student's own.
        compute: Function that runs simulations.
        forecast_futures: Number of simulated futures from which a distribution of outcomes is estimated.
        progress: Called with a phase's name, its finished steps and its total steps.
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
