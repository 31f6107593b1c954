"""The exact path on TRL: an SFTTrainer with batches of packed questions and the exact loss."""

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

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

from simdistill.models.device import quiet
from simdistill.models.likelihood import choice_log_probabilities
from simdistill.models.packing import PackedBatch
from simdistill.training.losses import Terms, Weights, squared_gradient, terms
from simdistill.training.measures import APART, TERMS, measures_of_kinds, question_kinds
from simdistill.training.schedule import Schedule
from simdistill.training.stages import RoundResult
from simdistill.training.trainers.batch import Batch, TrainingQuestion

# huggingface_hub may have been imported before the variable was set.
constants.HF_HUB_DISABLE_TELEMETRY = True


class WithoutCard:
    """A trainer that writes no model card: the student writes its own with the adapter."""

    def create_model_card(self, *args, **kwargs) -> None:
        """Does nothing."""


class SimulatorTrainer(WithoutCard, SFTTrainer):
    """Trains on `TrainingQuestion` rows with the exact loss, averaged over an optimizer step's questions.

    Metrics in the log are over the questions of all processes:

    - the mean of each unweighted term over questions, and `agreement`, the share of questions on which the
      student's best choice is the teacher's;
    - `imitation_gradient` and so on: the norm of the mean's gradient with respect to the log-probabilities of
      all questions' choices;
    - `decision_regret`, `forecast_soft` and so on: the mean over one kind of question, left out if there is
      no question of this kind;
    - `forecasts`: the share of forecasts in the questions.

    Args:
        rows: Questions with their targets, in the order of training.
        weights: Weights of the loss's terms.
        kwargs: Arguments of `SFTTrainer`, except for the dataset.
    """

    loss_is_scaled_for_ga = True

    def __init__(self, *, rows: Sequence[TrainingQuestion], weights: Weights, **kwargs):
        self.rows, self.weights = rows, weights
        self.kinds = question_kinds()
        self._forget()
        places = Dataset.from_dict({"place": list(range(len(rows)))})
        super().__init__(data_collator=self.collate, train_dataset=places, **kwargs)

    def collate(self, places: Sequence[Mapping[str, int]]) -> Batch:
        """Packs the questions at the given indices of `rows`."""
        return Batch.of([self.rows[one["place"]] for one in places], list(self.kinds))

    def get_batch_samples(self, epoch_iterator: Iterator, num_batches: int, device: torch.device):
        """Returns the batches of one optimizer step, and their number of questions over all processes."""
        batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        questions = sum(len(batch["hard_Q"]) for batch in batches)
        positions = sum(batch["input_ids"].numel() for batch in batches)
        counts = torch.tensor([[questions, positions]], device=device)
        total, positions = torch.as_tensor(self.accelerator.gather(counts)).sum(0)
        self.state.num_input_tokens_seen += int(positions)
        return batches, total

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """Returns the sum of the questions' exact losses, divided by the optimizer step's questions."""
        batch = Batch(inputs)
        packed, targets = batch.packed, batch.targets
        outputs = self.outputs(model, packed)
        log_p_QC = choice_log_probabilities(outputs.logits, packed)
        found = terms(log_p_QC, targets)
        questions = len(targets.hard_Q) if num_items_in_batch is None else num_items_in_batch
        # Gradients are averaged over processes, but the loss needs their sum.
        loss = found.loss_Q(self.weights).sum() / questions * self.accelerator.num_processes
        self._count(found, log_p_QC, batch["kind_Q"])
        return (loss, outputs) if return_outputs else loss

    def outputs(self, model, batch: PackedBatch):
        """Returns the model's outputs for a batch; a subclass may request further outputs."""
        return model(**batch.model_inputs())

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds the means of the terms over the questions since the last log, and writes the log."""
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
            logs |= self._by_kind(means)
        self._forget()
        super().log(logs, start_time)

    def _forget(self) -> None:
        """Resets the sums and the number of questions to zero."""
        self._sums: dict[str, torch.Tensor] = {}
        self._squares: dict[str, torch.Tensor] = {}
        self._questions = 0

    def _count(self, found: Terms, log_p_QC: torch.Tensor, kind_Q: torch.Tensor) -> None:
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
        for number, kind in enumerate(self.kinds):
            of_kind_Q = (kind_Q == number).to(log_p_QC.dtype)
            self._add(f"{kind}/questions", of_kind_Q.sum())
            for name in APART:
                # Not as a dot product, which autocast would round to bfloat16.
                self._add(f"{kind}/{name}", (means[name] * of_kind_Q).sum())
        self._questions += len(found.hard_Q)

    def _add(self, name: str, total: torch.Tensor, *inputs: torch.Tensor) -> None:
        """Adds a sum over questions and, if `inputs` are given, its squared gradient with respect to them."""
        self._sums[name] = self._sums.get(name, 0.0) + total.detach()
        if inputs and total.requires_grad:
            self._squares[name] = self._squares.get(name, 0.0) + squared_gradient(total, *inputs)

    def _by_kind(self, means: dict[str, float]) -> dict[str, float]:
        """Turns sums over one kind's questions, divided by all questions, into means over that kind."""
        found = {name: mean for name, mean in means.items() if "/" not in name}
        for kind, names in measures_of_kinds(self.kinds).items():
            share = means[f"{kind}/questions"]
            for name in names:
                if name == f"{kind}s":
                    found[name] = share
                elif share:
                    found[name] = means[f"{kind}/{name.removeprefix(f'{kind}_')}"] / share
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
        model: Language model with `sdpa` attention; of a `PeftModel`, only the adapter is trained.
        tokenizer: The model's tokenizer.
        rows: Questions with their targets, in the order of training; each batch is one packed forward pass.
        schedule: Learning rates, sizes and checkpoints.
        weights: Weights of the loss's terms.
        callbacks: Callbacks of transformers' trainer, such as `MetricsWriter`.
        kind: Class or function that makes the trainer.

    Raises:
        InputError: A checkpoint can't be written.
    """
    with quiet():
        trainer = kind(
            rows=rows,
            weights=weights,
            model=model,
            processing_class=tokenizer,
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
