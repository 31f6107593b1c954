"""The sampled path on TRL: a GRPOTrainer that imitates demonstrations in the step in which it is rewarded.

It is for students that sample, and may reason before they answer: a completion is any text, and the reward
reads what it says at its end; how long it may be is `method.answer_tokens`. Where answers are labels,
the exact path takes the expectation without samples.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from trl.trainer.grpo_trainer import GRPOTrainer

from simdistill.errors import InputError
from simdistill.models.likelihood import token_log_probabilities
from simdistill.models.packing import PackedBatch, TokenizedQuestion, pack
from simdistill.training.losses import squared_gradient
from simdistill.training.trainers.batch import TrainingQuestion
from simdistill.training.trainers.exact import WithoutCard

Phi = Callable[[torch.Tensor], torch.Tensor]
"""Probabilities of demonstrated tokens -> their weights, both (N,)."""


@dataclass(frozen=True)
class Demonstration:
    """A question with C answers to imitate; an answer may be a label, or a text that ends with one.

    Attributes:
        question: In tokens.
        share_C: How much each answer is imitated; they sum to 1.
    """

    question: TokenizedQuestion
    share_C: tuple[float, ...]


@dataclass(frozen=True)
class Mix:
    """What a step's loss is made of: policy * GRPO's loss + imitation * the demonstrated tokens' mean loss.

    Attributes:
        policy: Weight of GRPO's loss.
        imitation: Weight of the demonstrations' loss.
        per_step: Demonstrations of an optimizer step, over all processes.
        phi: Weight of a demonstrated token, by its probability; its gradient isn't taken.
    """

    policy: float
    imitation: float
    per_step: int
    phi: Phi = torch.ones_like


@dataclass(frozen=True)
class Shown:
    """The demonstrations of one forward pass, N tokens.

    Attributes:
        batch: Packed.
        share_N: How much each token is imitated; it sums to the number of tokens that are expected.
    """

    batch: PackedBatch
    share_N: torch.Tensor

    @classmethod
    def of(cls, demonstrations: Sequence[Demonstration], device: torch.device) -> "Shown":
        """Packs demonstrations, at least one."""
        batch = pack([demonstration.question for demonstration in demonstrations])
        share_QC = torch.zeros(batch.choice_mask_QC.shape)
        for place, demonstration in enumerate(demonstrations):
            share_QC[place, : len(demonstration.share_C)] = torch.tensor(demonstration.share_C)
        return cls(batch.to(device), share_QC.flatten()[batch.factor_slot_N].to(device))

    def loss(self, log_p_N: torch.Tensor, phi: Phi) -> torch.Tensor:
        """The tokens' loss, -share * phi(p) * log p, summed."""
        return -(self.share_N * phi(log_p_N.detach().exp()) * log_p_N).sum()


class SimDistillTrainer(WithoutCard, GRPOTrainer):
    """GRPO with demonstrations in every step.

    Which demonstrations a step shows follows from its number: they come in their order, and after the last
    the first. So a resumed training shows what the uninterrupted one would have.

    The log has both terms unweighted, `policy` (GRPO's loss) and `imitation`, and as `policy_gradient` and
    `imitation_gradient` the lengths of their gradients in the log-probabilities of sampled and demonstrated
    tokens.

    Args:
        demonstrations: At least one.
        mix: Weights of the loss's terms.
        kwargs: As for `GRPOTrainer`.

    Raises:
        InputError: There are none, or fewer in a step than it has batches.
    """

    def __init__(self, *, demonstrations: Sequence[Demonstration], mix: Mix, **kwargs):
        super().__init__(**kwargs)
        self.demonstrations, self.mix = demonstrations, mix
        self._waiting: list[Shown] = []
        self._sums: dict[str, torch.Tensor] = {}
        self._windows = 0
        batches = self.args.gradient_accumulation_steps * self.accelerator.num_processes
        if not demonstrations or mix.per_step < batches:
            raise InputError(
                f"{len(demonstrations)} demonstrations, {mix.per_step} in a step: each of a step's {batches} "
                "batches needs one at least"
            )

    def get_batch_samples(self, epoch_iterator: Iterator, num_batches: int, device: torch.device):
        """The batches of one optimizer step, and the number of its demonstrated tokens over all processes."""
        batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        self._waiting = [Shown.of(part, device) for part in self._parts(len(batches))]
        counts = torch.stack([torch.stack([s.share_N.sum(), _positions(s)]) for s in self._waiting]).sum(0)
        tokens, positions = torch.as_tensor(self.accelerator.gather(counts[None])).sum(0)
        self.state.num_input_tokens_seen += int(positions)
        self._windows += 1
        return batches, tokens

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """GRPO's loss and that of demonstrations; the latter's sum is divided by the step's tokens."""
        if num_items_in_batch is None:  # an evaluation shows no demonstrations
            return super().compute_loss(model, inputs, return_outputs)
        scored: list[torch.Tensor] = []
        hook = model.register_forward_hook(lambda module, given, found: scored.append(found.log_probs))
        with hook:
            # Processes average their gradients, and so their losses' sum is what is divided.
            policy = super().compute_loss(model, inputs, return_outputs) / self.accelerator.num_processes
        shown = self._waiting.pop(0)
        log_p_N = token_log_probabilities(model(**shown.batch.model_inputs()).logits, shown.batch)
        imitation = shown.loss(log_p_N, self.mix.phi) / num_items_in_batch
        self._count("policy", policy, *scored)
        self._count("imitation", imitation, log_p_N)
        loss = self.mix.policy * policy + self.mix.imitation * imitation
        return loss * self.accelerator.num_processes

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds the terms' means over the steps since the last log."""
        if self._windows and self._sums:
            totals = self.accelerator.reduce(torch.stack(list(self._sums.values())), "sum")
            logs |= {
                name: (math.sqrt(total) if name.endswith("_gradient") else total) / self._windows
                for name, total in zip(self._sums, torch.as_tensor(totals).tolist(), strict=True)
            }
        self._sums, self._windows = {}, 0
        super().log(logs, start_time)

    def _parts(self, batches: int) -> list[list[Demonstration]]:
        """The demonstrations of this process's batches of the step that begins."""
        known, first = self.demonstrations, self.state.global_step * self.mix.per_step
        step = [known[place % len(known)] for place in range(first, first + self.mix.per_step)]
        parts = batches * self.accelerator.num_processes
        return [step[part::parts] for part in range(self.accelerator.process_index, parts, parts // batches)]

    def _count(self, name: str, term: torch.Tensor, *log_p: torch.Tensor) -> None:
        found = {name: term.detach(), f"{name}_gradient": squared_gradient(term, *log_p)}
        for key, value in found.items():
            self._sums[key] = self._sums.get(key, 0.0) + value


def _positions(shown: Shown) -> torch.Tensor:
    return torch.tensor(float(shown.batch.input_ids.numel()), device=shown.share_N.device)


def demonstrations(rows: Sequence[TrainingQuestion], soft: float) -> list[Demonstration]:
    """Turns questions into demonstrations of their choices.

    With `soft` at 1 each choice is imitated by its soft target's share: the sum over a question's tokens is
    then the exact loss's soft imitation and validity. With 0 it is SFT's loss of the teacher's choice.

    Args:
        rows: Questions with their targets.
        soft: In [0, 1], the share of the soft target; the rest is the teacher's choice.
    """
    return [
        Demonstration(
            row.question,
            tuple(soft * share + (1 - soft) * (place == row.hard) for place, share in enumerate(row.soft_C)),
        )
        for row in rows
    ]
