"""The states, choices and forecasts in a run's training questions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from simdistill import registry
from simdistill.config.task import TaskConfig
from simdistill.data.question import Question
from simdistill.serving.schema import schema_of
from simdistill.serving.states import StateChecker
from simdistill.simulation import Forecast
from simdistill.simulation.forms import Encoding


@dataclass(frozen=True)
class Taught:
    """The states, choices and forecasts in the training questions.

    Attributes:
        states: Checker of live states against the training states.
        labels: Labels of all choices.
        vary: Whether the legal choices depend on the state.
        example: A decision question with a typical state.
        longest: Number of characters of the longest situation.
        forecasts: Forecasts that the student learned, by their index in the simulator's `forecasts`.
    """

    states: StateChecker
    labels: list[str]
    vary: bool
    example: Question
    longest: int
    forecasts: Mapping[int, Forecast]

    @classmethod
    def of(cls, questions: Sequence[Question], simulator: str) -> "Taught":
        """Collects states, choices and forecasts.

        Args:
            questions: The training questions.
            simulator: Name of the simulator.
        """
        decisions = [question for question in questions if question.decides]
        sets = {tuple(question.choices) for question in decisions}
        forecast_labels = {tuple(question.choices) for question in questions if not question.decides}
        known: Sequence[Forecast] = registry.load("simulators", simulator).forecasts
        return cls(
            StateChecker(schema_of(question.situation.state for question in questions)),
            list(dict.fromkeys(label for labels in sorted(sets, key=len)[::-1] for label in labels)),
            len(sets) > 1,
            decisions[_typical(_features([one.situation.state for one in decisions], simulator))],
            max(len(question.prompt[-1]["content"]) for question in decisions),
            {n: forecast for n, forecast in enumerate(known) if tuple(forecast.labels) in forecast_labels},
        )

    def schema(self, task: TaskConfig) -> dict[str, Any]:
        """Returns the JSON Schema of a task's states, with further fields that JSON Schema ignores."""
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": f"A state of {task.name}",
            "description": task.description,
            **self.states.schema,
            "examples": [self.example.situation.state],
            "task": task.name,
            "choices": {"labels": self.labels, "vary": self.vary, "example": self.example.choices},
            "forecasts": [forecast.question for forecast in self.forecasts.values()],
        }


def _features(states: Sequence[dict[str, Any]], simulator: str) -> np.ndarray:
    """Returns the features of states as points (S, N)."""
    encoding = Encoding.of(states, registry.load("simulators", simulator).observes, pool=True)
    return encoding.matrix(states)


def _typical(numbers_SN: np.ndarray) -> int:
    """Returns the index of the state nearest to the mean of all S states.

    The distance is the sum over the N numbers of a state, each in standard deviations.
    """
    spread_N = numbers_SN.std(axis=0)
    away_SN = np.abs(numbers_SN - numbers_SN.mean(axis=0)) / np.where(spread_N > 0, spread_N, 1.0)
    return int(away_SN.sum(axis=1).argmin())
