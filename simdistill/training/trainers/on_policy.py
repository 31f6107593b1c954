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
