"""TRL's own trainers on the same questions: what anyone would reach for, with the settings that suit it best.

TRL's defaults handicap a small model on a processor: a learning rate of 2e-5 (1e-6 for GRPO), completions of
512 tokens, gradient checkpointing. Here completions end where answers do, unless
`method.answer_tokens` gives room to reason before, and rates are those of LoRA.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from datasets import Dataset
from transformers import TrainerCallback
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from simdistill import rewards
from simdistill.data.question import Question
from simdistill.errors import InputError
from simdistill.models.device import quiet
from simdistill.models.student import Student
from simdistill.training.legality import Legality
from simdistill.training.sampling import SamplingConfig
from simdistill.training.schedule import Schedule
from simdistill.training.stages import RoundResult
from simdistill.training.trainers.exact import WithoutCard


class PlainSFTTrainer(WithoutCard, SFTTrainer):
    """TRL's trainer as it is."""


class PlainGRPOTrainer(WithoutCard, GRPOTrainer):
    """TRL's trainer as it is."""


def sft_round(
    student: Student,
    questions: Sequence[Question],
    schedule: Schedule,
    callbacks: Sequence[TrainerCallback] = (),
) -> RoundResult:
    """Trains on the teacher's answers with `SFTTrainer`, once over the questions in their order.

    Args:
        student: With an adapter; trained in place.
        questions: Each gives a prompt and the teacher's answer as the completion.
        schedule: Rates, sizes and checkpoints.
        callbacks: Of transformers.

    Raises:
        InputError: A checkpoint can't be written.
    """
    rows = [
        {"prompt": question.prompt, "completion": [{"role": "assistant", "content": question.answer}]}
        for question in questions
    ]
    with quiet():
        trainer = PlainSFTTrainer(
            model=student.model,
            processing_class=student.tokenizer,
            train_dataset=Dataset.from_list(rows),
            args=SFTConfig(
                **schedule.arguments(),
                train_sampling_strategy="sequential",
                max_length=None,
                include_num_input_tokens_seen="non_padding",
            ),
            callbacks=list(callbacks),
        )
    result = schedule.train(trainer)
    tokens = int(trainer.state.num_input_tokens_seen)
    return RoundResult(result.global_step, len(questions), tokens, result.training_loss)


def grpo_round(
    student: Student,
    questions: Sequence[Question],
    scales: Mapping[str, float],
    settings: SamplingConfig,
    schedule: Schedule,
    callbacks: Sequence[TrainerCallback] = (),
    kind: Callable[..., GRPOTrainer] = PlainGRPOTrainer,
    reward: rewards.Reward = rewards.consistency,
) -> RoundResult:
    """Trains on the simulator's reward for sampled answers with `GRPOTrainer`, once over the questions.

    Args:
        student: With an adapter; trained in place.
        questions: Decisions with values.
        scales: Name of a task -> its scale, in cost units.
        settings: How answers are sampled.
        schedule: Rates, sizes and checkpoints; a batch is of answers.
        callbacks: Of transformers.
        kind: Makes the trainer.
        reward: Reward function, called as TRL calls it.

    Raises:
        InputError: A step has more questions than there are, no sampled answer is a choice, or a checkpoint
            can't be written.
    """
    with quiet():
        trainer = kind(
            model=student.model,
            processing_class=student.tokenizer,
            **sampling(student, questions, scales, settings, schedule, reward),
            callbacks=list(callbacks),
        )
    result = schedule.train(trainer)
    tokens = int(trainer.state.num_input_tokens_seen)
    answered = result.global_step * schedule.batch_size * schedule.accumulation // settings.samples
    return RoundResult(result.global_step, answered, tokens, result.training_loss)


def sampling(
    student: Student,
    questions: Sequence[Question],
    scales: Mapping[str, float],
    settings: SamplingConfig,
    schedule: Schedule,
    reward: rewards.Reward = rewards.consistency,
) -> dict[str, Any]:
    """Returns what a `GRPOTrainer` needs to answer questions for the simulator's reward, as its arguments.

    Args:
        student: Whose tokens they are.
        questions: Decisions with values.
        scales: Name of a task -> its scale, in cost units.
        settings: How answers are sampled.
        schedule: Rates, sizes and checkpoints; a batch is of answers.
        reward: Reward function, called as TRL calls it.

    Raises:
        InputError: A step has more questions than there are.
    """
    wanted = schedule.batch_size * schedule.accumulation // settings.samples
    if len(questions) < wanted:
        raise InputError(
            f"method.prompts: a step answers {wanted} questions, and there are only {len(questions)}; "
            "lower it, or raise distill.questions"
        )
    tokenized = [student.tokenize(question.prompt, question.choices) for question in questions]
    longest = max(len(ids) for question in tokenized for ids in question.choice_ids)
    needed = longest + 2  # the end token, and one that shows that it goes on
    return {
        "reward_funcs": Legality(reward),
        "train_dataset": Dataset.from_list(
            [
                {
                    "prompt": question.prompt,
                    "choices": question.choices,
                    "values": question.costs_C,
                    "scale": scales[question.task],
                }
                for question in questions
            ]
        ),
        "args": GRPOConfig(
            **schedule.arguments(),
            num_generations=settings.samples,
            temperature=settings.temperature,
            use_vllm=settings.vllm,
            vllm_mode="colocate",
            max_completion_length=max(needed, settings.answer_tokens or 0),
            shuffle_dataset=False,
            beta=0.0,
            loss_type="dr_grpo",
            scale_rewards="none",
        ),
    }
