"""Reinforcement learning with token-weighted imitation in the same loss: CHORD-phi.

"On-Policy RL Meets Off-Policy Experts" (arXiv 2508.11408): the loss is (1 - mu) * GRPO + mu * imitation; in
it a demonstrated token of probability p has the weight p * (1 - p). The weight is small for tokens that the
student finds very probable or very improbable. So a student that never generates a label doesn't learn to.
"""

from typing import TYPE_CHECKING, ClassVar, cast

from pydantic import Field

from simdistill.training.methods.simdistill_sampled import SampledSimDistill
from simdistill.training.sampling import SamplingConfig

if TYPE_CHECKING:
    import torch

    from simdistill.training.trainers.sampled import Mix


class ChordConfig(SamplingConfig):
    """Settings of sampled answers, and the weight of imitation."""

    mu: float = Field(default=0.1, ge=0, le=1, description="weight of imitation; that of GRPO is 1 - mu")


class Chord(SampledSimDistill):
    """CHORD-phi: GRPO plus token-weighted imitation of the teacher's answers, in one loss."""

    Config: ClassVar[type[SamplingConfig]] = ChordConfig
    learning_rate = 1e-4
    loss_weights_used = ()

    @property
    def mix(self) -> "Mix":
        from simdistill.training.trainers.sampled import Mix

        mu = cast(ChordConfig, self.own).mu
        return Mix(1 - mu, mu, self.own.demonstrations, phi)

    @property
    def soft(self) -> float:
        return 0.0


def phi(p_N: "torch.Tensor") -> "torch.Tensor":
    """Returns the weights of demonstrated tokens from the tokens' probabilities."""
    return p_N * (1 - p_N)
