"""Forecast questions: what will happen within some time. The choices are buckets of an outcome.

The answer is the bucket of one simulated future; the soft targets are the shares of futures in the buckets.
The cross-entropy to either is a proper score: the true distribution minimises its expectation (Gneiting and
Raftery, JASA 102, 2007). Axes: C choices (buckets), K futures.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Self

import numpy as np

from simdistill import registry
from simdistill.config import TaskConfig
from simdistill.data.asking import Asking
from simdistill.data.question import Question, Targets
from simdistill.simulation import Forecast, Policy
from simdistill.simulation.forecasts import distribution
from simdistill.simulation.outcomes import outcomes
from simdistill.simulation.situations import Situation


@dataclass(frozen=True)
class ForecastQuestion(Question):
    """A question about a future outcome, one of the simulator's `forecasts`.

    Attributes:
        probabilities: Share of simulated futures in each bucket.
    """

    kind: ClassVar[str] = "forecast"

    probabilities: list[float]

    @classmethod
    def pose(cls, asking: Asking, count: int) -> list[Self]:
        """Makes questions about `count` evenly spaced states, with the simulator's forecasts in turn."""
        forecasts = registry.load("simulators", asking.task.simulator).forecasts
        count = min(count, len(asking.searched)) if forecasts else 0
        places = np.linspace(0, len(asking.searched), count, endpoint=False).astype(int).tolist()
        items = [asking.searched[place] for place in places]
        posed = [(item.situation, forecasts[n % len(forecasts)]) for n, item in enumerate(items)]
        simulate = partial(future_buckets, asking.task, asking.policy, asking.forecast_futures)
        questions: list[Self] = []
        if count:
            asking.progress("ask for outcomes", 0, count)
        for item, (situation, forecast), buckets_K in zip(
            items, posed, asking.compute(simulate, posed), strict=True
        ):
            questions.append(cls.of(asking, situation, item.group, forecast, buckets_K))
            asking.progress("ask for outcomes", len(questions), count)
        return questions

    @classmethod
    def of(
        cls, asking: Asking, situation: Situation, group: int, forecast: Forecast, buckets_K: np.ndarray
    ) -> Self:
        """Makes a question about one outcome.

        Args:
            asking: The task, its prompts, and other inputs of questions.
            situation: Situation from which the futures continue.
            group: Number of the situation's scenario.
            forecast: Forecast that defines the outcome and its buckets.
            buckets_K: Bucket of the outcome in each future.
        """
        labels = forecast.labels
        return cls(
            task=asking.task.name,
            simulator=asking.task.simulator,
            split=asking.split,
            round=asking.round,
            group=group,
            prompt=asking.prompts.forecast(situation.state, forecast.question, labels),
            choices=labels,
            answer=labels[buckets_K[0]],
            situation=replace(situation, choices=()),
            probabilities=distribution(buckets_K, len(labels)).tolist(),
        )

    def targets(self, temperature: float, scale: float) -> Targets:
        """Returns one future's bucket and the simulated distribution; all regrets are 0."""
        return Targets(self.hard, np.array(self.probabilities), np.zeros(len(self.choices)))

    def score(self, probabilities_C: np.ndarray) -> float:
        """Returns the expected log score, in nats: the cross-entropy to the simulated distribution."""
        likely_C = np.maximum(probabilities_C, np.finfo(float).tiny)
        return float(-np.dot(self.probabilities, np.log(likely_C)))

    @property
    def answer_C(self) -> list[float]:
        """Share of simulated futures in each bucket."""
        return self.probabilities


def future_buckets(
    task: TaskConfig, policy: Policy, futures: int, posed: tuple[Situation, Forecast], salt: int = 0
) -> np.ndarray:
    """Simulates the futures of a situation.

    Args:
        task: Task with the simulator; the futures of a terminating task end when the task ends.
        policy: Policy that decides in the futures.
        futures: Number of futures (K).
        posed: Situation from which the futures begin, and forecast that defines the outcome.
        salt: Part of the futures' seed; another salt gives other futures.

    Returns:
        The bucket of the outcome in each future (K).
    """
    situation, forecast = posed
    process = registry.load("simulators", task.simulator)
    return outcomes(process, situation, policy, [forecast], futures, salt, task.until)[0]
