"""The exact loss: imitation and simulator consistency as expectations over all choices of a question.

Let p(c) be the probability of choice c (the product over its tokens, end token included), q = p / sum p, and
r the regrets divided by the task's scale. A question's loss is

    i * [(1 - w) CE(hard, q) + w CE(soft, q)] + a * sum_c q(c) r(c) + b * (-log sum_c p(c)).

With i = b = 1 and w = a = 0 it is the negative log-likelihood of the answer, which is what SFT minimises.
The regret term's gradient with respect to log p is q (r - mean of r under q). It vanishes if the student is
confidently wrong, so this term is never used alone.
"""

from dataclasses import dataclass

import torch

from simdistill.training.weights import Weights


@dataclass(frozen=True)
class Targets:
    """Training targets of Q questions, padded to C choices.

    Attributes:
        hard_Q: Index of the teacher's choice.
        soft_QC: The teacher's probability of each choice, 0 at padding.
        regret_QC: Regret of each choice, divided by the task's scale; 0 at padding.
    """

    hard_Q: torch.Tensor
    soft_QC: torch.Tensor
    regret_QC: torch.Tensor


@dataclass(frozen=True)
class Terms:
    """The unweighted terms of the loss, with one value for each question.

    Attributes:
        hard_Q: Cross-entropy to the teacher's choice.
        soft_Q: Cross-entropy to the teacher's probabilities.
        regret_Q: Expected regret in units of the task's scale.
        validity_Q: Negative log-probability of all choices together.
        agreement_Q: 1 if the student's most probable choice is the teacher's, else 0.
    """

    hard_Q: torch.Tensor
    soft_Q: torch.Tensor
    regret_Q: torch.Tensor
    validity_Q: torch.Tensor
    agreement_Q: torch.Tensor

    def loss_Q(self, weights: Weights) -> torch.Tensor:
        """Returns the weighted loss of each question."""
        imitation_Q = (1 - weights.soft) * self.hard_Q + weights.soft * self.soft_Q
        return (
            weights.imitation * imitation_Q
            + weights.regret * self.regret_Q
            + weights.validity * self.validity_Q
        )


def squared_gradient(term: torch.Tensor, *outputs: torch.Tensor) -> torch.Tensor:
    """Returns the squared norm of a loss term's gradient with respect to the model's outputs.

    The gradient is taken only down to the outputs, so it is much cheaper than a backward pass for each term.

    Args:
        term: The loss term, a scalar; its graph is retained.
        outputs: Tensors that the term is a function of, such as log-probabilities or hidden states.
    """
    gradients = torch.autograd.grad(term, outputs, retain_graph=True)
    return torch.stack([gradient.square().sum() for gradient in gradients]).sum()


def terms(log_p_QC: torch.Tensor, targets: Targets) -> Terms:
    """Returns the terms of the loss.

    Args:
        log_p_QC: log p of every choice, -inf at padding.
        targets: Targets of the questions.
    """
    log_mass_Q = log_p_QC.logsumexp(-1)
    log_q_QC = log_p_QC - log_mass_Q[:, None]
    # Padding has weight 0, but 0 * -inf would be NaN.
    finite_QC = log_q_QC.masked_fill(log_p_QC == -torch.inf, 0.0)
    return Terms(
        hard_Q=-finite_QC.gather(1, targets.hard_Q[:, None])[:, 0],
        soft_Q=-(targets.soft_QC * finite_QC).sum(-1),
        regret_Q=(log_q_QC.exp() * targets.regret_QC).sum(-1),
        validity_Q=-log_mass_Q,
        agreement_Q=(log_p_QC.argmax(-1) == targets.hard_Q).to(log_p_QC.dtype),
    )
