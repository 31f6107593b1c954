"""The exact path on TRL: an SFTTrainer whose batches are packed questions and whose loss is the exact one."""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import numpy as np
import torch
from datasets import Dataset
from huggingface_hub import constants
from peft import PeftModel
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainerCallback,
)
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from simdistill.data.question import Question
from simdistill.models.device import quiet
from simdistill.models.likelihood import choice_log_probabilities
from simdistill.models.packing import PackedBatch, TokenizedQuestion, pack
from simdistill.models.student import Student
from simdistill.training.losses import Targets, Terms, Weights, squared_gradient, terms
from simdistill.training.measures import APART, TERMS
from simdistill.training.schedule import Schedule
from simdistill.training.stages import RoundResult

# huggingface_hub may have been imported before the variable was set.
constants.HF_HUB_DISABLE_TELEMETRY = True


@dataclass(frozen=True)
class TrainingQuestion:
    """A tokenized question with its targets, C choices.

    Attributes:
        question: In tokens.
        hard: Index of the teacher's choice.
        soft_C: The teacher's probabilities.
        regret_C: Regret of each choice divided by the task's scale.
        forecast: Whether an outcome is asked for, not a choice.
    """

    question: TokenizedQuestion
    hard: int
    soft_C: tuple[float, ...]
    regret_C: tuple[float, ...]
    forecast: bool = False

    def row(self) -> dict:
        """The row of the trainer's dataset."""
        return {
            "prompt_ids": list(self.question.prompt_ids),
            "choice_ids": [list(ids) for ids in self.question.choice_ids],
            "end_id": self.question.end_id,
            "hard": self.hard,
            "soft": list(self.soft_C),
            "regret": list(self.regret_C),
            "forecast": self.forecast,
        }


def training_questions(
    student: Student, questions: Sequence[Question], scale: float, temperature: float
) -> list[TrainingQuestion]:
    """Gives questions their targets: the teacher's choice, its soft targets, and scaled regrets.

    A forecast's soft targets are the simulated distribution, and no bucket is regretted.

    Args:
        student: Whose tokens they are.
        questions: Decisions with values, and forecasts.
        scale: The task's scale, in cost units.
        temperature: Of the soft targets, in units of `scale`.
    """
    rows = []
    for question in questions:
        targets = question.targets(temperature, scale)
        rows.append(
            TrainingQuestion(
                question=student.tokenize(question.prompt, question.choices),
                hard=targets.hard,
                soft_C=tuple(targets.soft_C.tolist()),
                regret_C=tuple(targets.regret_C.tolist()),
                forecast=not question.decides,
            )
        )
    return rows


def collate(rows: Sequence[dict]) -> dict[str, torch.Tensor]:
    """Packs dataset rows: the tensors of a `PackedBatch` and of `Targets`, and which are forecasts."""
    batch = pack(
        [
            TokenizedQuestion(
                tuple(row["prompt_ids"]), tuple(tuple(ids) for ids in row["choice_ids"]), row["end_id"]
            )
            for row in rows
        ]
    )
    width = batch.choice_mask_QC.shape[1]
    return {
        **batch.tensors(),
        "hard_Q": torch.tensor([row["hard"] for row in rows]),
        "soft_QC": _padded([row["soft"] for row in rows], width),
        "regret_QC": _padded([row["regret"] for row in rows], width),
        "forecast_Q": torch.tensor([float(row["forecast"]) for row in rows]),
    }


def _padded(rows: Sequence[Sequence[float]], width: int) -> torch.Tensor:
    padded = np.zeros((len(rows), width), dtype=np.float32)
    for index, row in enumerate(rows):
        padded[index, : len(row)] = row
    return torch.from_numpy(padded)


class WithoutCard:
    """A trainer that writes no model card: the student writes its own with the adapter."""

    def create_model_card(self, *args, **kwargs) -> None:
        """None."""


class SimulatorTrainer(WithoutCard, SFTTrainer):
    """Trains on `TrainingQuestion` rows with the exact loss, averaged over an optimizer step's questions.

    Metrics in the log are means over questions of the unweighted terms, and `agreement`, the share of
    questions on which the student's best choice is the teacher's. `imitation_gradient` and so on are the
    lengths of these means' gradients in the log-probabilities of all questions' choices. `decision_regret`,
    `forecast_soft` and so on are means over decisions or forecasts alone, left out where there are none, and
    `forecasts` is the forecasts' share of the questions. All processes' questions count.

    Args:
        weights: Weights of the loss's terms.
        kwargs: As for `SFTTrainer`.
    """

    loss_is_scaled_for_ga = True

    def __init__(self, *, weights: Weights, **kwargs):
        self.weights = weights
        self._forget()
        super().__init__(data_collator=collate, **kwargs)

    def get_batch_samples(self, epoch_iterator: Iterator, num_batches: int, device: torch.device):
        """The batches of one optimizer step, and how many questions they hold over all processes."""
        batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        questions = sum(len(batch["hard_Q"]) for batch in batches)
        positions = sum(batch["input_ids"].numel() for batch in batches)
        counts = torch.tensor([[questions, positions]], device=device)
        total, positions = torch.as_tensor(self.accelerator.gather(counts)).sum(0)
        self.state.num_input_tokens_seen += int(positions)
        return batches, total

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """The exact loss, summed over questions and divided by the optimizer step's number of questions."""
        batch = PackedBatch(**{name: inputs[name] for name in PackedBatch.names()})
        targets = Targets(inputs["hard_Q"], inputs["soft_QC"], inputs["regret_QC"])
        outputs = self.outputs(model, batch)
        log_p_QC = choice_log_probabilities(outputs.logits, batch)
        found = terms(log_p_QC, targets)
        questions = len(targets.hard_Q) if num_items_in_batch is None else num_items_in_batch
        # Processes average their gradients, where the loss wants their sum.
        loss = found.loss_Q(self.weights).sum() / questions * self.accelerator.num_processes
        self._count(found, log_p_QC, inputs["forecast_Q"])
        return (loss, outputs) if return_outputs else loss

    def outputs(self, model, batch: PackedBatch):
        """The model's outputs for a batch; a subclass may ask for more of them."""
        return model(**batch.model_inputs())

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds the terms' means over the questions since the last log."""
        if self._questions:
            found = [*self._sums.values(), *self._squares.values()]
            count = torch.tensor(self._questions, device=found[0].device, dtype=found[0].dtype)
            totals = torch.as_tensor(self.accelerator.reduce(torch.stack([count, *found]), "sum")).tolist()
            questions, totals = totals[0], totals[1:]
            names = [*self._sums, *(f"{name}_gradient" for name in self._squares)]
            means = {
                name: (math.sqrt(total) if name.endswith("_gradient") else total) / questions
                for name, total in zip(names, totals, strict=True)
            }
            logs |= _by_kind(means)
        self._forget()
        super().log(logs, start_time)

    def _forget(self) -> None:
        """Begins to count anew."""
        self._sums: dict[str, torch.Tensor] = {}
        self._squares: dict[str, torch.Tensor] = {}
        self._questions = 0

    def _count(self, found: Terms, log_p_QC: torch.Tensor, forecast_Q: torch.Tensor) -> None:
        means = {
            "imitation": (1 - self.weights.soft) * found.hard_Q + self.weights.soft * found.soft_Q,
            "hard": found.hard_Q,
            "soft": found.soft_Q,
            "regret": found.regret_Q,
            "validity": found.validity_Q,
            "agreement": found.agreement_Q,
        }
        for name, value_Q in means.items():
            self._add(name, value_Q.sum(), *([log_p_QC] if name in TERMS else []))
        self._add("forecasts", forecast_Q.sum())
        for name in APART:
            # Not as products of vectors, which autocast would round to bfloat16.
            self._add(f"decision_{name}", (means[name] * (1 - forecast_Q)).sum())
            self._add(f"forecast_{name}", (means[name] * forecast_Q).sum())
        self._questions += len(found.hard_Q)

    def _add(self, name: str, total: torch.Tensor, *inputs: torch.Tensor) -> None:
        """Counts a sum over questions and, if `inputs` are given, its gradient in them."""
        self._sums[name] = self._sums.get(name, 0.0) + total.detach()
        if inputs and total.requires_grad:
            self._squares[name] = self._squares.get(name, 0.0) + squared_gradient(total, *inputs)


def _by_kind(means: dict[str, float]) -> dict[str, float]:
    """Makes means over all questions of what is of one kind, and so 0 for others, means over that kind."""
    shares = {"decision": 1 - means["forecasts"], "forecast": means["forecasts"]}
    found = {}
    for name, mean in means.items():
        share = shares.get(name.partition("_")[0], 1.0)
        if share:
            found[name] = mean / share
    return found


def train_round(
    model: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[TrainingQuestion],
    schedule: Schedule,
    weights: Weights,
    callbacks: Sequence[TrainerCallback] = (),
    kind: Callable[..., SimulatorTrainer] = SimulatorTrainer,
) -> RoundResult:
    """Trains `model` in place, once over `rows` in their order.

    Args:
        model: With `sdpa` attention; with PEFT, only the adapter is trained.
        tokenizer: The model's.
        rows: In the order of training; a batch of them is packed in one forward pass.
        schedule: Rates, sizes and checkpoints.
        weights: Weights of the loss's terms.
        callbacks: Of transformers, such as `MetricsWriter`.
        kind: Makes the trainer.

    Raises:
        InputError: A checkpoint can't be written.
    """
    data = [row.row() for row in rows]
    with quiet():
        trainer = kind(
            weights=weights,
            model=model,
            processing_class=tokenizer,
            train_dataset=Dataset.from_list(data),
            args=SFTConfig(
                **schedule.arguments(),
                train_sampling_strategy="sequential",
                remove_unused_columns=False,
                dataset_kwargs={"skip_prepare_dataset": True},
                max_length=None,
            ),
            callbacks=list(callbacks),
        )
    result = schedule.train(trainer)
    return RoundResult(
        steps=result.global_step,
        questions=len(rows),
        tokens=int(trainer.state.num_input_tokens_seen),
        loss=result.training_loss,
    )
