"""Schedule of a training stage for all of TRL's trainers: learning rates, sizes, checkpoints, resuming."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from simdistill import distributed as launched
from simdistill.errors import InputError

if TYPE_CHECKING:
    from transformers import Trainer
    from transformers.trainer_utils import TrainOutput


@dataclass(frozen=True)
class Schedule:
    """The settings of a training stage, which is one epoch over its rows.

    After a warm-up from zero, the learning rate falls linearly.

    Attributes:
        learning_rate: Learning rate at the first step after the warm-up.
        end_learning_rate: Learning rate after the last step, below `learning_rate`.
        warmup_steps: Number of optimizer steps of the warm-up; 0 in a stage that continues another.
        batch_size: Number of rows in one forward pass, over all processes.
        output_dir: Folder of the stage's checkpoints.
        seed: Seed of the trainer's and the model's random numbers.
        checkpoint_steps: Optimizer steps between two checkpoints; 0 for no checkpoints.
        accumulation: Number of forward passes in one optimizer step.
        bf16: Whether to train with bfloat16 autocast.
        device: Device of the model, "cpu" or "cuda".
        resume: Whether to resume from the last complete checkpoint, if any. Other checkpoints are removed.

    Raises:
        InputError: The rows of a forward pass can't be divided equally among the processes.
    """

    learning_rate: float
    end_learning_rate: float
    warmup_steps: int
    batch_size: int
    output_dir: Path
    seed: int
    checkpoint_steps: int
    accumulation: int = 1
    bf16: bool = True
    device: str = "cpu"
    resume: bool = False

    def __post_init__(self):
        if self.batch_size % launched.processes():
            raise InputError(
                f"a batch of {self.batch_size} can't be divided among {launched.processes()} processes "
                "equally; change distill.batch_size (method.prompts) or --num_processes"
            )

    def arguments(self) -> dict[str, Any]:
        """Returns a trainer's arguments; they replace those of TRL's defaults that suit only large models."""
        return {
            "output_dir": str(self.output_dir),
            "num_train_epochs": 1,
            "per_device_train_batch_size": self.batch_size // launched.processes(),
            "ddp_find_unused_parameters": False,
            "gradient_accumulation_steps": self.accumulation,
            "learning_rate": self.learning_rate,
            "lr_scheduler_type": "polynomial",
            "lr_scheduler_kwargs": {"lr_end": self.end_learning_rate, "power": 1.0},
            "warmup_steps": self.warmup_steps,
            "optim": "adamw_torch",
            "weight_decay": 0.0,
            "max_grad_norm": 1.0,
            "seed": self.seed,
            "bf16": self.bf16,
            "use_cpu": self.device == "cpu",
            "gradient_checkpointing": False,
            "dataloader_pin_memory": self.device == "cuda",
            "save_strategy": "steps" if self.checkpoint_steps else "no",
            "save_steps": self.checkpoint_steps or 500,
            "save_total_limit": 1,
            "logging_steps": 1,
            "logging_first_step": True,
            "disable_tqdm": True,
            "report_to": "none",
            "push_to_hub": False,
        }

    def train(self, trainer: "Trainer") -> "TrainOutput":
        """Trains the whole stage, or the rest of it after a checkpoint.

        Raises:
            InputError: A checkpoint can't be written.
        """
        from transformers import PrinterCallback

        from simdistill.models.device import quiet

        checkpoint = last_checkpoint(self.output_dir) if self.resume else None
        if launched.is_first():
            _remove_checkpoints(self.output_dir, but=checkpoint)
        trainer.remove_callback(PrinterCallback)
        # The straight line to the last rate divides by the steps that are left after the warm-up.
        steps = -(-len(trainer.get_train_dataloader()) // self.accumulation)
        trainer.args.warmup_steps = max(0, min(self.warmup_steps, steps - 1))
        try:
            with quiet():
                return trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        except (OSError, SafetensorError) as error:
            raise InputError(
                f"Could not write a checkpoint to {self.output_dir}: {error}. Free some disk space there."
            ) from error


def part_of(step: int, parts: int) -> int:
    """Returns the number of rows in one forward pass of an optimizer step.

    Args:
        step: Number of rows in an optimizer step.
        parts: Number of equal parts that a step is divided into, `distill.accumulation`.

    Raises:
        InputError: The step can't be divided equally.
    """
    if step % parts:
        raise InputError(
            f"distill.accumulation={parts}: a step of {step} can't be divided into {parts} equal parts; "
            "change distill.accumulation, or distill.batch_size (method.prompts, times method.samples)"
        )
    return step // parts


def last_checkpoint(output_dir: Path) -> Path | None:
    """Returns the newest complete checkpoint, or None.

    The trainer writes its state last, so a checkpoint without a readable state is incomplete.
    """
    checkpoints = [folder for folder in Path(output_dir).glob("checkpoint-*") if _step(folder) is not None]
    complete = [folder for folder in checkpoints if _is_complete(folder)]
    return max(complete, key=lambda folder: _step(folder) or 0, default=None)


def _step(folder: Path) -> int | None:
    number = folder.name.removeprefix("checkpoint-")
    return int(number) if number.isdecimal() else None


def _is_complete(folder: Path) -> bool:
    try:
        state = json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return state.get("global_step") == _step(folder)


def _remove_checkpoints(output_dir: Path, but: Path | None) -> None:
    for folder in output_dir.glob("checkpoint-*"):
        if folder != but:
            shutil.rmtree(folder)
