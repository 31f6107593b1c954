"""A kind of question: how many cars are waiting, more than three or not."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from simdistill.data.question import Question, Targets

FEW, MANY = "three or fewer", "more than three"


@dataclass(frozen=True)
class CountingQuestion(Question):
    """How many cars wait.

    Attributes:
        counted: How many there are, a column of the kind's own.
    """

    kind: ClassVar[str] = "counting"

    counted: int

    @classmethod
    def pose(cls, asking, count: int) -> "list[CountingQuestion]":
        """Asks about the first states of a lesson."""
        questions = []
        for item in asking.searched[:count]:
            waiting = item.situation.state["waiting"]
            prompt = asking.prompts.forecast(item.situation.state, "How many cars wait?", [FEW, MANY])
            questions.append(
                cls(
                    task=asking.task.name,
                    simulator=asking.task.simulator,
                    split=asking.split,
                    round=asking.round,
                    group=item.group,
                    prompt=prompt,
                    choices=[FEW, MANY],
                    answer=MANY if waiting > 3 else FEW,
                    situation=item.situation,
                    counted=waiting,
                )
            )
        return questions

    def targets(self, temperature: float, scale: float) -> Targets:
        """The answer is certain, and a wrong one costs nothing in the process."""
        return Targets(self.hard, np.array(self.answer_C), np.zeros(len(self.choices)))

    def score(self, probabilities_C: np.ndarray) -> float:
        """Returns the log score, in nats."""
        return float(-np.log(probabilities_C[self.hard]))
