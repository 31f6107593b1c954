"""Questions about a process: a situation in words, a few choices, and simulated targets for each choice.

A kind of question is a subclass of `Question` that defines how questions are made (`pose`), what a student
learns from one (`targets`), and how good an answer is (`score`). A package registers a kind with

    [project.entry-points."simdistill.questions"]
    fact = "my_package.fact:FactQuestion"

and a run with `distill.kinds.fact=100` has 100 questions of this kind. Axes: C choices.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np

from simdistill import registry
from simdistill.data.asking import Asking
from simdistill.simulation.situations import Situation


@dataclass(frozen=True)
class Targets:
    """Training targets of a question.

    Attributes:
        hard: Index of the answer.
        soft_C: Target probability of each choice; they sum to 1.
        regret_C: Cost of each choice above the least cost, in units of the task's scale.
    """

    hard: int
    soft_C: np.ndarray
    regret_C: np.ndarray


@dataclass(frozen=True)
class Question:
    """One question, and one row of `questions.parquet`.

    Attributes:
        kind: Registered name of the class.
        decides: Whether the choices are actions of the process, so that each has a cost.
        task: Name of the task.
        simulator: Name of the simulator.
        split: "train" or "tune".
        round: 0 for the teacher's states, 1 and up for the student's own.
        group: Number of the scenario. Its questions share parameters, so their prompts begin alike.
        prompt: Chat messages.
        choices: Labels of the choices.
        answer: Label of the right choice.
        situation: Situation of the decision that the question is about. If the question was read from a file
            and `decides` is False, the situation has no choices.
    """

    kind: ClassVar[str]
    decides: ClassVar[bool] = False

    task: str
    simulator: str
    split: str
    round: int
    group: int
    prompt: list[dict[str, str]]
    choices: list[str]
    answer: str
    situation: Situation

    @classmethod
    def pose(cls, asking: Asking, count: int) -> Sequence[Self]:
        """Makes questions about a lesson's states.

        Args:
            asking: The states, their labels, and other inputs of questions.
            count: Largest number of questions.
        """
        raise NotImplementedError

    def targets(self, temperature: float, scale: float) -> Targets:
        """Returns the training targets of the question.

        Args:
            temperature: Temperature of soft targets that are computed from costs, in units of `scale`.
            scale: The task's scale, in cost units.
        """
        raise NotImplementedError

    def score(self, probabilities_C: np.ndarray) -> float:
        """Returns the loss of an answer; lower is better.

        Args:
            probabilities_C: The student's probability of each choice; they sum to 1.
        """
        raise NotImplementedError

    @property
    def hard(self) -> int:
        """Index of the answer."""
        return self.choices.index(self.answer)

    @property
    def answer_C(self) -> list[float]:
        """Probability that each choice is the answer: 1 for `answer`, unless a kind has a distribution."""
        return [float(choice == self.answer) for choice in self.choices]

    @property
    def costs_C(self) -> list[float]:
        """Cost of each choice above the least one, in cost units; empty if choices have no costs."""
        return []

    @property
    def teacher_C(self) -> list[float] | None:
        """A teacher language model's probability of each choice; None if there are none."""
        return None

    def row(self) -> dict[str, Any]:
        """Returns the question as a row of a table; `from_row` is the inverse."""
        situation = self.situation
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        del own["situation"]
        return {
            "kind": self.kind,
            **own,
            "params": situation.params.model_dump_json(),
            "state": json.dumps(situation.state),
            "seed_path": list(situation.path),
            "actions": list(situation.actions),
            "time": situation.time,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Returns the question of a row that `row` made.

        Raises:
            InputError: If the simulator isn't installed, or refuses the row's parameters.
        """
        simulator = registry.load("simulators", row["simulator"])
        situation = Situation(
            params=simulator.parse(json.loads(row["params"])),
            path=tuple(row["seed_path"]),
            actions=tuple(row["actions"]),
            time=row["time"],
            state=json.loads(row["state"]),
            choices=tuple(row["choices"]) if cls.decides else (),
        )
        names = [field.name for field in fields(cls) if field.name != "situation"]
        return cls(situation=situation, **{name: row[name] for name in names if name in row})
