"""TRL's own trainer of on-policy distillation, on the student's sampled answers to questions."""

from collections.abc import Sequence

from datasets import Dataset
from transformers import PreTrainedModel, TrainerCallback
from trl.trainer.distillation_config import DistillationConfig
from trl.trainer.distillation_trainer import DistillationTrainer

from simdistill.data.question import Question
from simdistill.errors import InputError
from simdistill.models.device import quiet
from simdistill.models.student import Student
from simdistill.teachers.language_models.compatibility import check_apart
from simdistill.training.schedule import Schedule
from simdistill.training.stages import RoundResult
from simdistill.training.trainers.exact import WithoutCard


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
        student: Student with an adapter; trained in place.
        teacher: Teacher with the student's tokenizer and number of logits, and with weights of its own.
        questions: Questions whose prompts the student answers.
        divergence: 1 for the reverse KL, 0 for the forward KL, between 0 and 1 for the generalised
            Jensen-Shannon divergence.
        schedule: Learning rates, sizes and checkpoints.
        callbacks: Callbacks of transformers' trainer.

    Raises:
        InputError: The teacher's logits or weights don't fit, or a checkpoint can't be written.
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
                max_completion_length=longest + 2,  # the end token, and one that a longer answer needs
                shuffle_dataset=False,
            ),
            callbacks=list(callbacks),
        )
    result = schedule.train(trainer)
    tokens = int(trainer.state.num_input_tokens_seen)
    return RoundResult(result.global_step, len(questions), tokens, result.training_loss)


def check_same_logits(student: Student, teacher: Student) -> None:
    """Checks that two models have the same number of logits; larger models may pad their vocabulary.

    Raises:
        InputError: The numbers differ.
    """
    ours, theirs = student.model.config.vocab_size, teacher.model.config.vocab_size
    if ours != theirs:
        raise InputError(
            f"the teacher {teacher.base.name} has {theirs} logits, the student {student.base.name} {ours}; "
            "their probabilities can't be compared, so take another teacher.model, or use method=hidden"
        )
