"""How far a student's hidden states are from a teacher's.

With h the student's state after a layer, t the teacher's after the layer it is mapped to, and P a projection
that is learned where their widths differ,

    distance = || P h / |P h| - t / |t| ||^2, averaged over layers and over all positions of a question,

and then over questions, so that it is the same however they are packed or divided. Directions are compared
(Patient KD, Sun et al., arXiv 1908.09355), as a few positions of a language model have states hundreds of
times as long as the others, and a plain squared error would be about them.
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
        teacher_layers: For each layer of the student, the layer of the teacher that it is to resemble.
        projection: From the student's width to the teacher's; None where they are equal.
        weight: Of the distance in the loss; NaN until it is known.
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
        """The distance, a mean over layers and a sum over positions.

        Args:
            ours: The student's hidden states (1, T, width), of the embeddings and then of each layer.
            theirs: The teacher's, likewise.
            share_T: How much each position counts.
        """
        distances = []
        for state, layer in zip(ours[1:], self.teacher_layers, strict=True):
            state = state.float() if self.projection is None else self.projection(state.float())
            difference = normalize(state, dim=-1) - normalize(theirs[layer + 1].float(), dim=-1)
            distances.append((difference.square().sum(-1) * share_T).sum())
        return torch.stack(distances).mean()


def shares(batch: PackedBatch) -> torch.Tensor:
    """How much each packed position counts (T,): a question counts 1 and each of its positions alike."""
    questions, choices = batch.choice_mask_QC.shape
    # A question's positions are those that its factors' scored positions attend to.
    attended_NT = batch.attention_mask[0, 0, batch.scored_J[batch.factor_row_N]].float()
    uses_QT = attended_NT.new_zeros(questions, attended_NT.shape[1])
    uses_QT = uses_QT.index_add(0, batch.factor_slot_N // choices, attended_NT).clamp(max=1.0)
    return (uses_QT / uses_QT.sum(1, keepdim=True)).sum(0)
