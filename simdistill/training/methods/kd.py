"""Distillation of soft targets: forward KL to the teacher's probabilities over the choices.

Hinton, Vinyals and Dean, arXiv 1503.02531. The soft targets are a teacher language model's probabilities;
with any other teacher they are a softmax of the choices' simulated costs.
"""

from simdistill.training.methods.simdistill import SimDistill
from simdistill.training.stages import Stage
from simdistill.training.weights import Weights


class KD(SimDistill):
    """Forward KL to soft targets: a teacher language model's, else a softmax of simulated costs."""

    loss_weights_used = ()

    @property
    def stages(self) -> list[Stage]:
        settings = self.config.distill
        return [Stage("train", settings.questions, settings.batch_size)]

    @property
    def weights(self) -> Weights:
        return Weights(imitation=1.0, soft=1.0, regret=0.0, validity=1.0)
