"""Probabilities of choices and of their tokens, from the logits of a packed batch."""

import torch

from simdistill.models.packing import PackedBatch


def choice_log_probabilities(logits: torch.Tensor, batch: PackedBatch) -> torch.Tensor:
    """Returns the log-probability of every choice, (Q, C), -inf at padding.

    Args:
        logits: Logits at the batch's scored positions, (1, J, V) or (J, V).
        batch: The packed questions.
    """
    factors_N = token_log_probabilities(logits, batch)
    mask_QC = batch.choice_mask_QC
    sums = torch.zeros(mask_QC.numel(), dtype=factors_N.dtype, device=factors_N.device)
    log_p_QC = sums.index_add(0, batch.factor_slot_N, factors_N).view(mask_QC.shape)
    return log_p_QC.masked_fill(~mask_QC, -torch.inf)


def token_log_probabilities(logits: torch.Tensor, batch: PackedBatch) -> torch.Tensor:
    """Returns the log-probability of every choice's every token, (N,); arguments as above."""
    logits_JV = logits.reshape(-1, logits.shape[-1]).float()
    normaliser_J = logits_JV.logsumexp(-1)
    return logits_JV[batch.factor_row_N, batch.factor_token_N] - normaliser_J[batch.factor_row_N]


def greedy_choices(logits_JV: torch.Tensor, batch: PackedBatch) -> torch.Tensor:
    """Returns whether greedy decoding generates each choice and its end token, as booleans (Q, C).

    Args:
        logits_JV: Logits at the batch's scored positions.
        batch: The packed questions.
    """
    best_J = logits_JV.argmax(-1)
    missed_N = (best_J[batch.factor_row_N] != batch.factor_token_N).long()
    missed = missed_N.new_zeros(batch.choice_mask_QC.numel()).index_add(0, batch.factor_slot_N, missed_N)
    return (missed.view(batch.choice_mask_QC.shape) == 0) & batch.choice_mask_QC
