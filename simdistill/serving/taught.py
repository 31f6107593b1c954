"""What a run's training questions taught: which states, which choices and which forecasts."""

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
    """States, choices and forecasts of the training questions.

    Attributes:
        states: Checks live states against the states of training.
        labels: Labels of all choices.
        vary: Whether the legal choices depend on the state.
        example: A typical decision.
        longest: Characters of the longest situation.
        forecasts: The simulator's forecasts that the student learned, by their numbers.
    """

    states: StateChecker
    labels: list[str]
    vary: bool
    example: Question
    longest: int
    forecasts: Mapping[int, Forecast]

    @classmethod
    def of(cls, questions: Sequence[Question], simulator: str) -> "Taught":
        """Collects what questions teach; `simulator` is the simulator's name."""
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
        """Returns the JSON Schema of a task's states, with remarks that aren't keywords of JSON Schema."""
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
    """Returns states as points (S, N)."""
    encoding = Encoding.of(states, registry.load("simulators", simulator).observes, pool=True)
    return encoding.matrix(states)


def _typical(numbers_SN: np.ndarray) -> int:
    """Returns which of S states is nearest to their mean, in standard deviations of their N numbers."""
    spread_N = numbers_SN.std(axis=0)
    away_SN = np.abs(numbers_SN - numbers_SN.mean(axis=0)) / np.where(spread_N > 0, spread_N, 1.0)
    return int(away_SN.sum(axis=1).argmin())
