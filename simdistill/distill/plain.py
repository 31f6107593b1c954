"""TRL's own trainers on the same questions: what anyone would reach for, with the settings that suit it best.

TRL's defaults handicap a small model on a processor: a learning rate of 2e-5 (1e-6 for GRPO), completions of
512 tokens, gradient checkpointing. Here completions end where answers do, and rates are those of LoRA.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from simdistill import rewards
from simdistill.distill.trainers import RoundResult, last_checkpoint
from simdistill.machine import quiet
from simdistill.questions import Question
from simdistill.students import Student


def sft_round(
    student: Student,
    questions: Sequence[Question],
    *,
    learning_rate: float,
    end_learning_rate: float,
    warmup_steps: int,
    batch_size: int,
    output_dir: Path,
    seed: int,
    checkpoint_steps: int,
    bf16: bool,
    callbacks: Sequence[TrainerCallback] = (),
) -> RoundResult:
    """Trains on the teacher's answers with `SFTTrainer`, once over the questions in their order.

    Args:
        student: With an adapter; trained in place.
        questions: Each gives a prompt and the teacher's answer as the completion.
        learning_rate: At the first step after the warm-up; from there on a straight line.
        end_learning_rate: After the last step.
        warmup_steps: Optimizer steps.
        batch_size: Questions of a step.
        output_dir: Folder of the checkpoints.
        seed: Of whatever the trainer draws.
        checkpoint_steps: Optimizer steps between checkpoints.
        bf16: bfloat16 autocast.
        callbacks: Of transformers.
    """
    rows = [
        {
            "prompt": question.prompt,
            "completion": [{"role": "assistant", "content": question.answer}],
        }
        for question in questions
    ]
    with quiet():
        arguments = SFTConfig(
            **_common(
                learning_rate=learning_rate,
                batch_size=batch_size,
                output_dir=output_dir,
                seed=seed,
                checkpoint_steps=checkpoint_steps,
                bf16=bf16,
                warmup_steps=warmup_steps,
            ),
            lr_scheduler_type="polynomial",
            lr_scheduler_kwargs={"lr_end": end_learning_rate, "power": 1.0},
            num_train_epochs=1,
            train_sampling_strategy="sequential",
            max_length=None,
        )
        trainer = SFTTrainer(
            model=student.model,
            processing_class=student.tokenizer,
            train_dataset=Dataset.from_list(rows),
            args=arguments,
            callbacks=list(callbacks),
        )
        trainer.create_model_card = lambda *args, **kwargs: None  # the student writes its own
        result = _trained(trainer, output_dir)
    tokens = sum(map(len, trainer.train_dataset["input_ids"]))  # type: ignore[index, arg-type]
    return RoundResult(result.global_step, len(questions), tokens, result.training_loss)


def grpo_round(
    student: Student,
    questions: Sequence[Question],
    *,
    scale: float,
    learning_rate: float,
    prompts: int,
    samples: int,
    output_dir: Path,
    seed: int,
    checkpoint_steps: int,
    bf16: bool,
    callbacks: Sequence[TrainerCallback] = (),
) -> RoundResult:
    """Trains on the simulator's reward for sampled answers with `GRPOTrainer`, once over the questions.

    Args:
        student: With an adapter; trained in place.
        questions: Decisions with values.
        scale: The task's scale, in cost units.
        learning_rate: At first; falls to zero on a straight line.
        prompts: Questions of a step.
        samples: Answers sampled for each.
        output_dir: Folder of the checkpoints.
        seed: Of the samples.
        checkpoint_steps: Optimizer steps between checkpoints.
        bf16: bfloat16 autocast.
        callbacks: Of transformers.
    """
    rows = [
        {
            "prompt": question.prompt,
            "choices": question.choices,
            "values": question.values,
            "scale": scale,
        }
        for question in questions
    ]
    tokenized = [student.tokenize(question.prompt, question.choices) for question in questions]
    longest = max(len(ids) for question in tokenized for ids in question.choice_ids)
    with quiet():
        arguments = GRPOConfig(
            **_common(
                learning_rate=learning_rate,
                batch_size=prompts * samples,
                output_dir=output_dir,
                seed=seed,
                checkpoint_steps=checkpoint_steps,
                bf16=bf16,
                warmup_steps=0,
            ),
            lr_scheduler_type="linear",
            num_train_epochs=1,
            num_generations=samples,
            max_completion_length=longest + 2,  # the end token, and one that shows that an answer goes on
            shuffle_dataset=False,
            beta=0.0,
            loss_type="dr_grpo",
            scale_rewards="none",
        )
        trainer = GRPOTrainer(
            model=student.model,
            reward_funcs=rewards.consistency,
            processing_class=student.tokenizer,
            train_dataset=Dataset.from_list(rows),
            args=arguments,
            callbacks=list(callbacks),
        )
        trainer.create_model_card = lambda *args, **kwargs: None  # the student writes its own
        result = _trained(trainer, output_dir)
    return RoundResult(
        result.global_step, len(questions), int(trainer.state.num_input_tokens_seen), result.training_loss
    )


def _common(
    *,
    learning_rate: float,
    batch_size: int,
    output_dir: Path,
    seed: int,
    checkpoint_steps: int,
    bf16: bool,
    warmup_steps: int,
) -> dict[str, Any]:
    """Settings of every trainer."""
    return {
        "output_dir": str(output_dir),
        "per_device_train_batch_size": batch_size,
        "learning_rate": learning_rate,
        "warmup_steps": warmup_steps,
        "optim": "adamw_torch",
        "weight_decay": 0.0,
        "max_grad_norm": 1.0,
        "seed": seed,
        "bf16": bf16,
        "use_cpu": not torch.cuda.is_available(),
        "gradient_checkpointing": False,
        "dataloader_pin_memory": torch.cuda.is_available(),
        "save_strategy": "steps",
        "save_steps": checkpoint_steps,
        "save_total_limit": 1,
        "logging_steps": 1,
        "logging_first_step": True,
        "disable_tqdm": True,
        "report_to": "none",
        "push_to_hub": False,
    }


def _trained(trainer: SFTTrainer | GRPOTrainer, output_dir: Path) -> Any:
    """Trains to the end, from the last complete checkpoint if there is one."""
    trainer.remove_callback(PrinterCallback)
    checkpoint = last_checkpoint(output_dir)
    return trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
