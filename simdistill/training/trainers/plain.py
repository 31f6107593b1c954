"""TRL's own trainers on the same questions, as baselines with the settings that suit them best.

TRL's defaults handicap a small model on a processor: a learning rate of 2e-5 (1e-6 for GRPO), completions of
512 tokens, gradient checkpointing. Here learning rates suit LoRA, and completions are no longer than answers,
unless `method.answer_tokens` allows reasoning before the answer.
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
        student: Student with an adapter; trained in place.
        questions: Questions; each gives a prompt, and the teacher's answer as its completion.
        schedule: Learning rates, sizes and checkpoints.
        callbacks: Callbacks of transformers' trainer.

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
    reward: rewards.Reward | None = None,
) -> RoundResult:
    """Trains on the simulator's reward for sampled answers with `GRPOTrainer`, once over the questions.

    Args:
        student: Student with an adapter; trained in place.
        questions: Decision questions with simulated costs.
        scales: Scale of each task by the task's name, in cost units.
        settings: Settings of sampled answers.
        schedule: Learning rates, sizes and checkpoints; the rows of a batch are answers.
        callbacks: Callbacks of transformers' trainer.
        kind: Class or function that makes the trainer.
        reward: Reward function, with TRL's signature.

    Raises:
        InputError: There are fewer questions than in a step, no sampled answer is a choice, or a checkpoint
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
    reward: rewards.Reward | None = None,
) -> dict[str, Any]:
    """Returns arguments of a `GRPOTrainer` that samples answers to questions and rewards them.

    Args:
        student: The student, whose tokenizer is used.
        questions: Decision questions with simulated costs.
        scales: Scale of each task by the task's name, in cost units.
        settings: Settings of sampled answers.
        schedule: Learning rates, sizes and checkpoints; the rows of a batch are answers.
        reward: Reward function, with TRL's signature.

    Raises:
        InputError: There are fewer questions than in a step.
    """
    wanted = schedule.batch_size * schedule.accumulation // settings.samples
    if len(questions) < wanted:
        raise InputError(
            f"method.prompts: a step needs {wanted} questions, but there are only {len(questions)}; "
            "lower method.prompts, or raise distill.questions"
        )
    tokenized = [student.tokenize(question.prompt, question.choices) for question in questions]
    longest = max(len(ids) for question in tokenized for ids in question.choice_ids)
    needed = longest + 2  # the end token, and one more that shows that an answer is longer than a choice
    return {
        "reward_funcs": Legality(reward or rewards.consistency),
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
