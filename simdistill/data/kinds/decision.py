"""Decision questions: which choice to take. The teacher gives the answer; every choice has a simulated cost.

Axes: C choices.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from simdistill.data.asking import Asking
from simdistill.data.question import Question, Targets


@dataclass(frozen=True)
class DecisionQuestion(Question):
    """A question about a decision of the process, in the form in which the student decides in the process.

    Attributes:
        values: Cost of each choice above the least one, in cost units: simulated and combined with a
            regression.
        standard_errors: Standard errors of `values`.
        raw_values: Simulated cost of each choice, relative to the mean over choices.
        raw_standard_errors: Standard errors of `raw_values`.
        teacher_probabilities: A teacher language model's probability of each choice; None if the teacher
            isn't a language model, or if it gave an answer without probabilities.
    """

    kind: ClassVar[str] = "decision"
    decides: ClassVar[bool] = True

    values: list[float]
    standard_errors: list[float]
    raw_values: list[float]
    raw_standard_errors: list[float]
    teacher_probabilities: list[float] | None = None

    @classmethod
    def pose(cls, asking: Asking, count: int) -> list[Self]:
        """Makes a question about the decision in each of the first `count` states."""
        labels, questions = asking.labels, []
        for row, item in enumerate(asking.searched[:count]):
            situation = item.situation
            columns = [labels.names.index(choice) for choice in situation.choices]
            costs_C = labels.costs_SC[row, columns]
            answer = situation.choices[int(np.argmin(costs_C))]
            if asking.demonstrated is not None:
                answer = asking.demonstrated(situation.state, situation.choices)
            questions.append(
                cls(
                    task=asking.task.name,
                    simulator=asking.task.simulator,
                    split=asking.split,
                    round=asking.round,
                    group=item.group,
                    prompt=asking.prompts.decision(situation.state),
                    choices=list(situation.choices),
                    answer=answer,
                    situation=situation,
                    values=costs_C.tolist(),
                    standard_errors=labels.errors_SC[row, columns].tolist(),
                    raw_values=labels.simulated_SC[row, columns].tolist(),
                    raw_standard_errors=labels.simulated_errors_SC[row, columns].tolist(),
                )
            )
        return questions

    def targets(self, temperature: float, scale: float) -> Targets:
        """Returns the teacher's choice, a softmax of costs, and regrets."""
        values_C = np.array(self.values)
        soft_C = soft_targets(values_C, np.array(self.standard_errors), temperature, scale)
        return Targets(self.hard, soft_C, values_C / scale)

    def score(self, probabilities_C: np.ndarray) -> float:
        """Returns the expected regret, in cost units."""
        return float(np.dot(probabilities_C, self.values))

    @property
    def costs_C(self) -> list[float]:
        """Cost of each choice above the least one, in cost units."""
        return self.values

    @property
    def teacher_C(self) -> list[float] | None:
        """A teacher language model's probability of each choice; None if there are none."""
        return self.teacher_probabilities


def soft_targets(
    values_C: np.ndarray, standard_errors_C: np.ndarray, temperature: float, scale: float
) -> np.ndarray:
    """Returns soft targets from costs with standard errors.

    They are `softmax(-d / sqrt(tau^2 + SE^2))` with the cost differences d: a noisier difference has less
    effect.

    Args:
        values_C: Cost of each choice above the best one's, in cost units.
        standard_errors_C: Standard errors of `values_C`.
        temperature: tau > 0, in units of `scale`.
        scale: The task's scale, in cost units.
    """
    differences_C = np.asarray(values_C, dtype=float) / scale
    errors_C = np.asarray(standard_errors_C, dtype=float) / scale
    scores_C = -differences_C / np.sqrt(temperature**2 + errors_C**2)
    weights_C = np.exp(scores_C - scores_C.max())
    return weights_C / weights_C.sum()
