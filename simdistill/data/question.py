"""Questions about a process: a situation in words, a few choices, and what the simulator says of each.

A kind of question is a subclass of `Question` that says how its questions are made (`pose`), what a student
learns from one (`targets`), and how good an answer is (`score`). A package offers a kind with

    [project.entry-points."simdistill.questions"]
    fact = "my_package.fact:FactQuestion"

and a run asks so many of them with `distill.kinds.fact=100`. Axes: C choices.
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
    """What a student learns from a question.

    Attributes:
        hard: Index of the answer.
        soft_C: Probabilities of the choices; they sum to 1.
        regret_C: Cost of each choice above the least one's, in units of the task's scale.
    """

    hard: int
    soft_C: np.ndarray
    regret_C: np.ndarray


@dataclass(frozen=True)
class Question:
    """One question, and one row of `questions.parquet`.

    Attributes:
        kind: Registered name of the class.
        decides: Whether the choices are actions of the process, so that each has its cost.
        task: Name of the task.
        simulator: Name of the simulator.
        split: "train" or "tune".
        round: 0 for the teacher's states, 1 and up for the student's own.
        group: Scenario; its questions share parameters, and so the beginning of their prompts.
        prompt: Chat messages.
        choices: Labels of the choices.
        answer: The right choice's label.
        situation: The decision that the question is about. One that was read from a file knows the choices of
            its decision only if these are the question's.
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
            asking: The states, and what else there is to ask with.
            count: How many questions, at most.
        """
        raise NotImplementedError

    def targets(self, temperature: float, scale: float) -> Targets:
        """Returns what a student learns from the question.

        Args:
            temperature: Of soft targets that are made of costs, in units of `scale`.
            scale: The task's scale, in cost units.
        """
        raise NotImplementedError

    def score(self, probabilities_C: np.ndarray) -> float:
        """Returns the loss of an answer; less is better.

        Args:
            probabilities_C: The student's probabilities of the choices; they sum to 1.
        """
        raise NotImplementedError

    @property
    def hard(self) -> int:
        """Index of the answer."""
        return self.choices.index(self.answer)

    @property
    def answer_C(self) -> list[float]:
        """Probability of each choice to be the answer: all of it at `answer`, unless a kind knows better."""
        return [float(choice == self.answer) for choice in self.choices]

    @property
    def costs_C(self) -> list[float]:
        """Cost of each choice minus the least one, in cost units; empty where choices cost nothing."""
        return []

    @property
    def teacher_C(self) -> list[float] | None:
        """A language model's own probabilities of the choices; None if it gave an answer alone."""
        return None

    def row(self) -> dict[str, Any]:
        """Returns the row of a table; `from_row` is the way back."""
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
        """Makes the question of a row.

        Raises:
            InputError: If its simulator doesn't exist, or doesn't take its parameters.
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
