"""The sampled path on TRL: a GRPOTrainer that combines reward and imitation in every step.

It is for students that may reason before they answer: a completion is any text of up to
`method.answer_tokens` tokens, and the reward reads the answer at its end. If a completion is just a label,
the exact path computes the expected reward without sampling.
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
"""Function of the probabilities of demonstrated tokens (N,) that returns the tokens' weights (N,)."""


@dataclass(frozen=True)
class Demonstration:
    """A question with C answers to imitate; an answer may be a label, or a text that ends with one.

    Attributes:
        question: The tokenized question.
        share_C: Weight of each answer in imitation; the weights sum to 1.
    """

    question: TokenizedQuestion
    share_C: tuple[float, ...]


@dataclass(frozen=True)
class Mix:
    """Weights of a step's loss: policy * GRPO's loss + imitation * mean loss of the demonstrated tokens.

    Attributes:
        policy: Weight of GRPO's loss.
        imitation: Weight of the demonstrations' loss.
        per_step: Number of demonstrations in an optimizer step, over all processes.
        phi: Function from a demonstrated token's probability to its weight; it isn't differentiated.
    """

    policy: float
    imitation: float
    per_step: int
    phi: Phi = torch.ones_like


@dataclass(frozen=True)
class Shown:
    """The demonstrations of one forward pass, N tokens.

    Attributes:
        batch: The packed demonstrations.
        share_N: Weight of each token in imitation; the sum is the expected number of tokens.
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
        """Returns the sum over tokens of -share * phi(p) * log p."""
        return -(self.share_N * phi(log_p_N.detach().exp()) * log_p_N).sum()


class SimDistillTrainer(WithoutCard, GRPOTrainer):
    """GRPO with demonstrations in every step.

    The number of a step determines its demonstrations: they are used in their order, again and again. So a
    resumed training uses the same ones as an uninterrupted training.

    The log has the unweighted terms `policy` (GRPO's loss) and `imitation`. `policy_gradient` and
    `imitation_gradient` are the norms of their gradients with respect to the log-probabilities of the sampled
    and the demonstrated tokens.

    Args:
        demonstrations: The demonstrations, at least one.
        mix: Weights of the loss's terms.
        kwargs: Arguments of `GRPOTrainer`.

    Raises:
        InputError: There are no demonstrations, or a step has fewer of them than it has batches.
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
                "batches needs at least one; raise method.demonstrations"
            )

    def get_batch_samples(self, epoch_iterator: Iterator, num_batches: int, device: torch.device):
        """Returns an optimizer step's batches, and its number of demonstrated tokens over all processes."""
        batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        self._waiting = [Shown.of(part, device) for part in self._parts(len(batches))]
        counts = torch.stack([torch.stack([s.share_N.sum(), _positions(s)]) for s in self._waiting]).sum(0)
        tokens, positions = torch.as_tensor(self.accelerator.gather(counts[None])).sum(0)
        self.state.num_input_tokens_seen += int(positions)
        self._windows += 1
        return batches, tokens

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """Returns GRPO's loss plus the demonstrations' loss, divided by the step's demonstrated tokens."""
        if num_items_in_batch is None:  # an evaluation shows no demonstrations
            return super().compute_loss(model, inputs, return_outputs)
        scored: list[torch.Tensor] = []
        hook = model.register_forward_hook(lambda module, given, found: scored.append(found.log_probs))
        with hook:
            # So divided, a term's sum over processes is its mean; below, `* num_processes` undoes that
            # processes average their gradients.
            policy = super().compute_loss(model, inputs, return_outputs) / self.accelerator.num_processes
        shown = self._waiting.pop(0)
        log_p_N = token_log_probabilities(model(**shown.batch.model_inputs()).logits, shown.batch)
        imitation = shown.loss(log_p_N, self.mix.phi) / num_items_in_batch
        self._count("policy", policy, *scored)
        self._count("imitation", imitation, log_p_N)
        loss = self.mix.policy * policy + self.mix.imitation * imitation
        return loss * self.accelerator.num_processes

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds the means of the terms over the steps since the last log, and writes the log."""
        if self._windows and self._sums:
            totals = self.accelerator.reduce(torch.stack(list(self._sums.values())), "sum")
            logs |= {
                name: (math.sqrt(total) if name.endswith("_gradient") else total) / self._windows
                for name, total in zip(self._sums, torch.as_tensor(totals).tolist(), strict=True)
            }
        self._sums, self._windows = {}, 0
        super().log(logs, start_time)

    def _parts(self, batches: int) -> list[list[Demonstration]]:
        """Returns the demonstrations of each of this process's batches in the step that begins."""
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

    With `soft` = 1 the weight of each choice is its soft target; a question's loss is then the sum of the
    exact loss's soft imitation and validity. With `soft` = 0 it is SFT's loss of the teacher's choice.

    Args:
        rows: Questions with their targets.
        soft: Weight of the soft target, in [0, 1]; the remaining weight is the teacher's choice's.
    """
    return [
        Demonstration(
            row.question,
            tuple(soft * share + (1 - soft) * (place == row.hard) for place, share in enumerate(row.soft_C)),
        )
        for row in rows
    ]
