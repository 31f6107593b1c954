"""The distance between a student's and a teacher's hidden states.

Let h be the student's state after a layer, t the teacher's state after the corresponding layer, and P a
projection that is learned if their widths differ. Then

    distance = || P h / |P h| - t / |t| ||^2, averaged over layers and over all positions of a question,

and then over questions, so that it doesn't depend on how questions are packed or divided into batches.
States are normalised (Patient KD, Sun et al., arXiv 1908.09355) because at a few positions a language model's
states have norms hundreds of times as large as elsewhere, which would dominate a plain squared error.
"""

from collections.abc import Sequence

import torch
from peft import PeftModel
from torch.nn.functional import normalize
from transformers import PreTrainedModel

from simdistill.models.packing import PackedBatch
from simdistill.models.pruning import evenly


class Matching(torch.nn.Module):
    """The distance between a student's hidden states and a teacher's.

    Attributes:
        teacher_layers: Index of the corresponding teacher layer for each layer of the student.
        projection: Linear map from the student's width to the teacher's; None if the widths are equal.
        weight: Weight of the distance in the loss; NaN until it is calibrated.
    """

    def __init__(self, student: PreTrainedModel | PeftModel, teacher: PreTrainedModel | PeftModel):
        super().__init__()
        ours, theirs = student.config, teacher.config
        self.teacher_layers = evenly(ours.num_hidden_layers, theirs.num_hidden_layers)
        self.projection: torch.nn.Linear | None = None
        if ours.hidden_size != theirs.hidden_size:
            self.projection = torch.nn.Linear(ours.hidden_size, theirs.hidden_size, bias=False)
            torch.nn.init.eye_(self.projection.weight)
        self.weight: torch.Tensor
        self.register_buffer("weight", torch.tensor(torch.nan))

    def forward(
        self, ours: Sequence[torch.Tensor], theirs: Sequence[torch.Tensor], share_T: torch.Tensor
    ) -> torch.Tensor:
        """Returns the distance, averaged over layers and summed over positions.

        Args:
            ours: The student's hidden states (1, T, width): the embeddings, then the output of each layer.
            theirs: The teacher's hidden states, likewise.
            share_T: Weight of each position.
        """
        distances = []
        for state, layer in zip(ours[1:], self.teacher_layers, strict=True):
            state = state.float() if self.projection is None else self.projection(state.float())
            difference = normalize(state, dim=-1) - normalize(theirs[layer + 1].float(), dim=-1)
            distances.append((difference.square().sum(-1) * share_T).sum())
        return torch.stack(distances).mean()


def shares(batch: PackedBatch) -> torch.Tensor:
    """Returns the weight of each packed position (T,); a question's positions share its weight 1 equally."""
    questions, choices = batch.choice_mask_QC.shape
    # A question's positions are those that its factors' scored positions attend to.
    attended_NT = batch.attention_mask[0, 0, batch.scored_J[batch.factor_row_N]].float()
    uses_QT = attended_NT.new_zeros(questions, attended_NT.shape[1])
    uses_QT = uses_QT.index_add(0, batch.factor_slot_N // choices, attended_NT).clamp(max=1.0)
    return (uses_QT / uses_QT.sum(1, keepdim=True)).sum(0)
