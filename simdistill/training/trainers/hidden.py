"""The exact path with one more term: the distance between the hidden states of student and teacher.

The term's weight is found before training: on the first steps' questions, with the student as it begins, it
makes the gradient of the term, in the trained parameters, `SHARE` times as long as that of the exact loss.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from simdistill.errors import InputError
from simdistill.models.packing import PackedBatch
from simdistill.teachers.language_models.compatibility import check_apart
from simdistill.training.matching import Matching, shares
from simdistill.training.trainers.batch import Batch
from simdistill.training.trainers.exact import SimulatorTrainer

SHARE = 1.0
"""Length of the gradient of the hidden states' term over that of the exact loss, at the beginning."""
CALIBRATION_STEPS = 4
MATCHING_FILE = "matching.safetensors"


class HiddenTrainer(SimulatorTrainer):
    """The exact loss plus the distance between hidden states; the log has it as `hidden`, unweighted.

    `hidden_gradient` is the length of the mean distance's gradient in the student's hidden states: those of
    all mapped layers and positions, each as if it could move alone, though a layer's states follow from those
    below it. States are compared by direction, so the longer they are, the shorter it is.

    Args:
        teacher: With the student's tokenizer, `sdpa` attention, and weights of its own.
        kwargs: As for `SimulatorTrainer`.

    Raises:
        InputError: The teacher shares weights with the student.
    """

    def __init__(self, *, teacher: PreTrainedModel | PeftModel, **kwargs):
        check_apart(kwargs["model"], teacher)
        super().__init__(**kwargs)
        self.teacher = teacher.to(self.args.device).eval().requires_grad_(False)  # type: ignore[arg-type]
        self.matching = Matching(self.model, teacher).to(self.args.device)  # type: ignore[arg-type]

    def train(self, resume_from_checkpoint=None, **kwargs):
        """Trains; the weight of the hidden states is found first, or read from the checkpoint."""
        if resume_from_checkpoint is None:
            self._calibrate()
        else:
            self._load_matching(Path(resume_from_checkpoint))
        return super().train(resume_from_checkpoint=resume_from_checkpoint, **kwargs)

    def outputs(self, model, batch: PackedBatch):
        """The student's outputs, hidden states among them."""
        return model(**batch.model_inputs(), output_hidden_states=True)

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """The exact loss plus the weighted distance, both as means over the optimizer step's questions."""
        loss, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
        # As views, states have gradients of their own, which end there and don't go back through the model.
        states = [state.float().view_as(state) for state in outputs.hidden_states]
        distance = self._distance(Batch(inputs).packed, states)
        self._add("hidden", distance, *states[1:])
        questions = len(inputs["hard_Q"]) if num_items_in_batch is None else num_items_in_batch
        loss = loss + self.matching.weight * distance / questions * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss

    def create_optimizer(self, model=None):
        """The optimizer of the adapter and, where there is one, of the projection."""
        optimizer = super().create_optimizer(model)
        projection = list(self.matching.parameters())
        if projection:
            optimizer.add_param_group({"params": projection, "weight_decay": 0.0})
            # The trainer averages over processes, and forgets, gradients of its own model's weights alone.
            optimizer.register_step_pre_hook(lambda *_: self._average_over_processes(projection))
            optimizer.register_step_post_hook(lambda *_: self.matching.zero_grad())
        return optimizer

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Saves the adapter, and beside it the projection and the weight."""
        super().save_model(output_dir, _internal_call)
        if self.args.should_save:
            folder = Path(output_dir or str(self.args.output_dir))
            save_file(self.matching.state_dict(), folder / MATCHING_FILE)

    def _load_matching(self, checkpoint: Path) -> None:
        path = checkpoint / MATCHING_FILE
        try:
            self.matching.load_state_dict(load_file(path, device=str(self.args.device)))
        except (OSError, RuntimeError) as error:
            raise InputError(
                f"{path} can't be read: {error}. Remove {checkpoint} and resume: training then begins anew."
            ) from error

    def _average_over_processes(self, weights: Sequence[torch.nn.Parameter]) -> None:
        for weight in weights:
            weight.grad = torch.as_tensor(self.accelerator.reduce(weight.grad, "mean"))

    def _distance(self, batch: PackedBatch, states: Sequence[torch.Tensor]) -> torch.Tensor:
        """The distance, summed over questions."""
        with torch.no_grad():
            taught = self.teacher.base_model(
                input_ids=batch.input_ids,
                position_ids=batch.position_ids,
                attention_mask=batch.attention_mask,
                output_hidden_states=True,
                use_cache=False,
            )
        return self.matching(states, taught.hidden_states, shares(batch))

    def _calibrate(self) -> None:
        """Sets the weight from the gradients of the first steps, as one process would take them."""
        part, model = self.args.per_device_train_batch_size, self.model
        step = part * self.args.gradient_accumulation_steps * self.accelerator.num_processes
        rows = self.rows[: CALIBRATION_STEPS * step]
        exact, hidden = 0.0, 0.0
        model.train()  # type: ignore[union-attr]
        for begin in range(0, len(rows), step):
            asked = rows[begin : begin + step]
            parts = [
                Batch.of(asked[first : first + part], list(self.kinds))
                for first in range(0, len(asked), part)
            ]
            lengths = self._gradient_lengths(parts, len(asked))
            exact, hidden = exact + lengths[0], hidden + lengths[1]
        self._forget()
        if hidden == 0.0:
            raise InputError(
                "The student's hidden states are the teacher's; there is nothing to learn from it."
            )
        self.matching.weight.fill_(SHARE * exact / hidden)

    def _gradient_lengths(self, parts: Sequence[Batch], questions: int) -> tuple[float, float]:
        """The lengths of a step's mean gradients of the exact loss and of the distance."""
        model: Any = self.model
        trained = [weight for weight in model.parameters() if weight.requires_grad]
        exact = [torch.zeros_like(weight) for weight in trained]
        hidden = [torch.zeros_like(weight) for weight in trained]
        for part in parts:
            inputs = Batch({name: tensor.to(self.args.device) for name, tensor in part.items()})
            with self.compute_loss_context_manager():
                loss, outputs = super().compute_loss(model, inputs, True, questions)
                distance = self._distance(inputs.packed, outputs.hidden_states) / questions
            _add_gradient(exact, loss / self.accelerator.num_processes, trained)
            _add_gradient(hidden, distance, trained)
        return _length(exact), _length(hidden)


def _add_gradient(totals: list[torch.Tensor], loss: torch.Tensor, weights: list[torch.nn.Parameter]) -> None:
    """Adds a loss's gradient in the weights; the way back stays open for another loss."""
    for total, gradient in zip(
        totals, torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True), strict=True
    ):
        if gradient is not None:
            total += gradient


def _length(gradients: Sequence[torch.Tensor]) -> float:
    """The Euclidean length of a gradient in all weights."""
    return float(torch.stack([gradient.float().square().sum() for gradient in gradients]).sum().sqrt())
