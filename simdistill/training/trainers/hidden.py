"""The exact path with one more loss term: the distance between the student's and the teacher's hidden states.

The weight of this term is calibrated before training, with the initial student and the questions of the first
steps: the gradients with respect to the trained parameters are computed for the term and for the exact loss,
and the weight makes the norm of the former `SHARE` times that of the latter.
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
"""Ratio of the norms of two gradients before training: the hidden states' term over the exact loss."""
CALIBRATION_STEPS = 4
MATCHING_FILE = "matching.safetensors"


class HiddenTrainer(SimulatorTrainer):
    """Trainer with the exact loss plus the distance between hidden states; `hidden` is the mean distance.

    `hidden_gradient` is the norm of the mean distance's gradient with respect to the student's hidden states
    of all mapped layers and positions. Each state is treated as independent, although a layer's states are
    functions of the states below. Since states are normalised, the gradient is small where they are large.

    Args:
        teacher: Language model with the student's tokenizer, `sdpa` attention, and weights of its own.
        kwargs: Arguments of `SimulatorTrainer`.

    Raises:
        InputError: The teacher shares weights with the student.
    """

    def __init__(self, *, teacher: PreTrainedModel | PeftModel, **kwargs):
        check_apart(kwargs["model"], teacher)
        super().__init__(**kwargs)
        self.teacher = teacher.to(self.args.device).eval().requires_grad_(False)  # type: ignore[arg-type]
        self.matching = Matching(self.model, teacher).to(self.args.device)  # type: ignore[arg-type]

    def train(self, resume_from_checkpoint=None, **kwargs):
        """Calibrates the weight of the hidden states' term, or reads it from a checkpoint; then trains."""
        if resume_from_checkpoint is None:
            self._calibrate()
        else:
            self._load_matching(Path(resume_from_checkpoint))
        return super().train(resume_from_checkpoint=resume_from_checkpoint, **kwargs)

    def outputs(self, model, batch: PackedBatch):
        """Returns the student's outputs, including hidden states."""
        return model(**batch.model_inputs(), output_hidden_states=True)

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """Returns the exact loss plus the weighted distance, both divided by the step's questions."""
        loss, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
        # As views, states are separate nodes of the graph: their gradients don't go back through the model.
        states = [state.float().view_as(state) for state in outputs.hidden_states]
        distance = self._distance(Batch(inputs).packed, states)
        self._add("hidden", distance, *states[1:])
        questions = len(inputs["hard_Q"]) if num_items_in_batch is None else num_items_in_batch
        loss = loss + self.matching.weight * distance / questions * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss

    def create_optimizer(self, model=None):
        """Returns the optimizer of the adapter and, if there is one, of the projection."""
        optimizer = super().create_optimizer(model)
        projection = list(self.matching.parameters())
        if projection:
            optimizer.add_param_group({"params": projection, "weight_decay": 0.0})
            # The trainer averages and resets only the gradients of its own model's weights.
            optimizer.register_step_pre_hook(lambda *_: self._average_over_processes(projection))
            optimizer.register_step_post_hook(lambda *_: self.matching.zero_grad())
        return optimizer

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Saves the adapter, and in the same folder the projection and the weight of its term."""
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
                f"{path} can't be read: {error}. Remove {checkpoint} and resume: this stage then restarts."
            ) from error

    def _average_over_processes(self, weights: Sequence[torch.nn.Parameter]) -> None:
        for weight in weights:
            weight.grad = torch.as_tensor(self.accelerator.reduce(weight.grad, "mean"))

    def _distance(self, batch: PackedBatch, states: Sequence[torch.Tensor]) -> torch.Tensor:
        """Returns the sum of the questions' distances."""
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
        """Sets the weight from the gradients of the first steps; each process computes all of them."""
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
                "The student's hidden states equal the teacher's, so there is nothing to learn from them; "
                "choose another teacher.model or teacher.adapter."
            )
        self.matching.weight.fill_(SHARE * exact / hidden)

    def _gradient_lengths(self, parts: Sequence[Batch], questions: int) -> tuple[float, float]:
        """Returns the norms of a step's gradients of the mean exact loss and of the mean distance."""
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
    """Accumulates a loss's gradient with respect to the weights and retains the graph for another loss."""
    for total, gradient in zip(
        totals, torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True), strict=True
    ):
        if gradient is not None:
            total += gradient


def _length(gradients: Sequence[torch.Tensor]) -> float:
    """Returns the Euclidean norm of a gradient with respect to all weights."""
    return float(torch.stack([gradient.float().square().sum() for gradient in gradients]).sum().sqrt())
