"""The exact loss: imitation and simulator consistency as expectations over all choices of a question.

With p(c) the probability of choice c (the product over its tokens, end token included), q = p / sum p and r
the regrets divided by the task's scale, a question's loss is

    i * [(1 - w) CE(hard, q) + w CE(soft, q)] + a * sum_c q(c) r(c) + b * (-log sum_c p(c)).

With i = b = 1 and w = a = 0 it is the negative log-likelihood of the answer, which is what SFT minimises.
The regret term's gradient in log p is q (r - mean of r under q): it vanishes where the student is confidently
wrong, so this term never trains alone.
"""

from dataclasses import dataclass

import torch

from simdistill.training.weights import Weights


@dataclass(frozen=True)
class Targets:
    """What the student is held to: Q questions, padded to C choices.

    Attributes:
        hard_Q: Index of the teacher's choice.
        soft_QC: The teacher's probabilities, 0 at padding.
        regret_QC: Regret of each choice divided by the task's scale, 0 at padding.
    """

    hard_Q: torch.Tensor
    soft_QC: torch.Tensor
    regret_QC: torch.Tensor


@dataclass(frozen=True)
class Terms:
    """The terms of the loss, unweighted, one value a question.

    Attributes:
        hard_Q: Cross-entropy of the teacher's choice.
        soft_Q: Cross-entropy of the teacher's probabilities.
        regret_Q: Expected regret in units of the task's scale.
        validity_Q: Minus the logarithm of the probability of all choices together.
        agreement_Q: 1 where the student's best choice is the teacher's.
    """

    hard_Q: torch.Tensor
    soft_Q: torch.Tensor
    regret_Q: torch.Tensor
    validity_Q: torch.Tensor
    agreement_Q: torch.Tensor

    def loss_Q(self, weights: Weights) -> torch.Tensor:
        """The loss of each question."""
        imitation_Q = (1 - weights.soft) * self.hard_Q + weights.soft * self.soft_Q
        return (
            weights.imitation * imitation_Q
            + weights.regret * self.regret_Q
            + weights.validity * self.validity_Q
        )


def squared_gradient(term: torch.Tensor, *outputs: torch.Tensor) -> torch.Tensor:
    """Squared length of a term's gradient in what the model says; it is 0 where the term pulls at nothing.

    It is measured where the model ends, and so costs a small part of a backward pass, not one a term.

    Args:
        term: A scalar; its graph is kept.
        outputs: What the term is a function of, of any shapes: log-probabilities, hidden states.
    """
    gradients = torch.autograd.grad(term, outputs, retain_graph=True)
    return torch.stack([gradient.square().sum() for gradient in gradients]).sum()


def terms(log_p_QC: torch.Tensor, targets: Targets) -> Terms:
    """The terms of the loss.

    Args:
        log_p_QC: log p of every choice, -inf at padding.
        targets: What the student is held to.
    """
    log_mass_Q = log_p_QC.logsumexp(-1)
    log_q_QC = log_p_QC - log_mass_Q[:, None]
    # Padding weighs nothing, but 0 * -inf would be NaN.
    finite_QC = log_q_QC.masked_fill(log_p_QC == -torch.inf, 0.0)
    return Terms(
        hard_Q=-finite_QC.gather(1, targets.hard_Q[:, None])[:, 0],
        soft_Q=-(targets.soft_QC * finite_QC).sum(-1),
        regret_Q=(log_q_QC.exp() * targets.regret_QC).sum(-1),
        validity_Q=-log_mass_Q,
        agreement_Q=(log_p_QC.argmax(-1) == targets.hard_Q).to(log_p_QC.dtype),
    )
