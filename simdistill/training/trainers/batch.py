"""Batches of the exact path: questions with their targets, packed in one batch.

Axes: Q questions of a batch, C choices.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from simdistill.data.question import Question
from simdistill.models.packing import PackedBatch, TokenizedQuestion, pack
from simdistill.models.student import Student
from simdistill.training.losses import Targets


@dataclass(frozen=True)
class TrainingQuestion:
    """A tokenized question with its targets, C choices.

    Attributes:
        question: The tokenized question.
        hard: Index of the teacher's choice.
        soft_C: The teacher's probability of each choice.
        regret_C: Regret of each choice, divided by the scale of the question's task.
        kind: Name of the question's kind.
    """

    question: TokenizedQuestion
    hard: int
    soft_C: tuple[float, ...]
    regret_C: tuple[float, ...]
    kind: str = "decision"


class Batch(dict[str, torch.Tensor]):
    """Packed questions with their targets: the tensors of one forward pass, by name.

    It is a mapping because trainers move mappings of tensors to their device.
    """

    @classmethod
    def of(cls, questions: Sequence[TrainingQuestion], kinds: Sequence[str] = ("decision",)) -> "Batch":
        """Packs questions.

        Args:
            questions: The questions, at least one.
            kinds: Names of all kinds of questions; `kind_Q` is the index of a question's kind among them.
        """
        packed = pack([question.question for question in questions])
        width = packed.choice_mask_QC.shape[1]
        return cls(
            packed.tensors(),
            hard_Q=torch.tensor([question.hard for question in questions]),
            soft_QC=_padded([question.soft_C for question in questions], width),
            regret_QC=_padded([question.regret_C for question in questions], width),
            kind_Q=torch.tensor([kinds.index(question.kind) for question in questions]),
        )

    @property
    def packed(self) -> PackedBatch:
        """The packed questions."""
        return PackedBatch(**{name: self[name] for name in PackedBatch.names()})

    @property
    def targets(self) -> Targets:
        """The targets of the packed questions."""
        return Targets(self["hard_Q"], self["soft_QC"], self["regret_QC"])


def training_questions(
    student: Student, questions: Sequence[Question], scales: Mapping[str, float], temperature: float
) -> list[TrainingQuestion]:
    """Tokenizes questions and adds their targets.

    Args:
        student: The student, whose tokenizer is used.
        questions: Questions of any kind.
        scales: Scale of each task by the task's name, in cost units.
        temperature: Temperature of soft targets that are computed from costs, in units of the task's scale.
    """
    rows = []
    for question in questions:
        targets = question.targets(temperature, scales[question.task])
        rows.append(
            TrainingQuestion(
                question=student.tokenize(question.prompt, question.choices),
                hard=targets.hard,
                soft_C=tuple(targets.soft_C.tolist()),
                regret_C=tuple(targets.regret_C.tolist()),
                kind=question.kind,
            )
        )
    return rows


def _padded(rows: Sequence[Sequence[float]], width: int) -> torch.Tensor:
    padded_QC = np.zeros((len(rows), width), dtype=np.float32)
    for index, row in enumerate(rows):
        padded_QC[index, : len(row)] = row
    return torch.from_numpy(padded_QC)
