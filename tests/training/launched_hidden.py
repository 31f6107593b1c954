"""One of two launched processes: learns hidden states, and keeps what it has of the projection.

torchrun --nproc_per_node 2 launched_hidden.py STUDENT TEACHER FOLDER
"""

import sys
from pathlib import Path

import torch
from test_teacher_model import WEIGHTS, learner, rows

from simdistill import distributed as launched
from simdistill.models.student import Student
from simdistill.training.schedule import Schedule
from simdistill.training.trainers.exact import train_round
from simdistill.training.trainers.hidden import HiddenTrainer

launched.meet("cpu")
tiny, wide, folder = map(Path, sys.argv[1:])
student, teacher = learner(tiny), Student.load(wide).model
made: list[HiddenTrainer] = []


def kind(**kwargs) -> HiddenTrainer:
    """Makes the trainer, and keeps it."""
    made.append(HiddenTrainer(teacher=teacher, **kwargs))
    return made[0]


schedule = Schedule(1e-2, 0.0, 0, 8, folder / "checkpoints", 0, 0, bf16=False)
train_round(student.model, student.tokenizer, rows(student, 16), schedule, WEIGHTS, kind=kind)
torch.save(made[0].matching.state_dict(), folder / f"{'first' if launched.is_first() else 'second'}.pt")
made.clear()  # it would keep the process group beyond its end
