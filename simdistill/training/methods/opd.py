"""On-policy distillation: a teacher language model's probabilities along the student's own answers.

Generalised knowledge distillation (Agarwal et al., GKD, arXiv 2306.13649; with the reverse KL alone, Lu and
Thinking Machines Lab, On-Policy Distillation, 2025), by TRL's DistillationTrainer. A student that never says
a choice would learn about text that nobody needs, so `kd` comes first.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, cast

from datasets import Dataset
from pydantic import Field
from transformers import PreTrainedModel, TrainerCallback
from trl.trainer.distillation_config import DistillationConfig
from trl.trainer.distillation_trainer import DistillationTrainer

from simdistill.config import MethodConfig
from simdistill.config.section import Count
from simdistill.data.question import Question
from simdistill.errors import InputError
from simdistill.models.choice_model import Asked
from simdistill.models.device import quiet
from simdistill.models.student import Student
from simdistill.teachers.language_models.compatibility import check_apart
from simdistill.training.methods.kd import KD
from simdistill.training.schedule import Schedule
from simdistill.training.stages import RoundResult, Stage
from simdistill.training.teacher_model import teacher_model
from simdistill.training.trainers.exact import WithoutCard


class OPDConfig(MethodConfig):
    """Distillation on the student's own answers."""

    formerly: ClassVar[str | None] = "distill.opd"

    questions: Count = Field(default=480, description="questions answered, after the first stage")
    prompts: Count = Field(default=16, description="questions in a step")
    divergence: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="1: reverse KL, which seeks the teacher's likeliest answer; 0: forward KL, which "
        "covers all answers; between: generalised Jensen-Shannon",
    )
    learning_rate: float = Field(
        default=1e-4, gt=0, le=1, description="learning rate at first, which decays to zero"
    )


class OPD(KD):
    """KD, then reverse KL to a teacher language model on sampled answers, with TRL's own trainer."""

    Config = OPDConfig
    learns_from = "probabilities"

    @property
    def own(self) -> OPDConfig:
        """The method's own fields."""
        return cast(OPDConfig, self.config.method)

    def check_models(self, student: Student, asked: Sequence[Asked]) -> None:
        super().check_models(student, asked)
        check_same_logits(student, teacher_model(self.config, student))

    @property
    def stages(self) -> list[Stage]:
        opd = self.own
        return [*super().stages, Stage("train on its own answers", opd.questions, opd.prompts)]

    def train(
        self, number: int, student: Student, questions: Sequence[Question], callbacks: list[TrainerCallback]
    ) -> RoundResult:
        if number == 0:
            return super().train(number, student, questions, callbacks)
        teacher = teacher_model(self.config, student)
        teacher.model.to(self.dtype)  # type: ignore[arg-type]
        divergence = self.own.divergence
        return opd_round(student, teacher, questions, divergence, self.schedule(number), callbacks)

    def schedule(self, number: int) -> Schedule:
        """Returns a stage's settings; the first stage's rate falls to zero, and the second has its own."""
        settings, opd, schedule = self.config.distill, self.own, super().schedule(number)
        if number == 0:
            rate = settings.learning_rate or self.learning_rate
            return replace(schedule, learning_rate=rate, end_learning_rate=0.0)
        return replace(schedule, learning_rate=opd.learning_rate, end_learning_rate=0.0)


class PlainDistillationTrainer(WithoutCard, DistillationTrainer):
    """TRL's trainer as it is."""


def opd_round(
    student: Student,
    teacher: Student,
    questions: Sequence[Question],
    divergence: float,
    schedule: Schedule,
    callbacks: Sequence[TrainerCallback] = (),
) -> RoundResult:
    """Trains on the student's own sampled answers with `DistillationTrainer`, once over the questions.

    Args:
        student: With an adapter; trained in place.
        teacher: With the student's tokenizer and number of logits, and weights of its own.
        questions: Whose prompts are answered.
        divergence: 1 for the reverse KL, 0 for the forward, between for the generalised Jensen-Shannon.
        schedule: Rates, sizes and checkpoints.
        callbacks: Of transformers.

    Raises:
        InputError: The teacher doesn't fit, or a checkpoint can't be written.
    """
    check_same_logits(student, teacher)
    taught: PreTrainedModel = teacher.model  # type: ignore[assignment]
    check_apart(student.model, taught)
    tokenized = [student.tokenize(question.prompt, question.choices) for question in questions]
    longest = max(len(ids) for question in tokenized for ids in question.choice_ids)
    with quiet():
        trainer = PlainDistillationTrainer(
            model=student.model,
            teacher_model=taught,
            processing_class=student.tokenizer,
            train_dataset=Dataset.from_list([{"prompt": question.prompt} for question in questions]),
            args=DistillationConfig(
                **schedule.arguments(),
                beta=divergence,
                max_completion_length=longest + 2,  # the end token, and one that shows that it goes on
                shuffle_dataset=False,
            ),
            callbacks=list(callbacks),
        )
    result = schedule.train(trainer)
    tokens = int(trainer.state.num_input_tokens_seen)
    return RoundResult(result.global_step, len(questions), tokens, result.training_loss)


def check_same_logits(student: Student, teacher: Student) -> None:
    """Checks that two models have as many logits; a larger model of a family may have padded its vocabulary.

    Raises:
        InputError: They haven't.
    """
    ours, theirs = student.model.config.vocab_size, teacher.model.config.vocab_size
    if ours != theirs:
        raise InputError(
            f"the teacher {teacher.base.name} has {theirs} logits, the student {student.base.name} {ours}; "
            "their probabilities can't be compared, so take another teacher.model, or use method=hidden"
        )
