"""Distillation of soft targets: forward KL to the teacher's probabilities over the choices.

Hinton, Vinyals and Dean, arXiv 1503.02531; in place of a teacher's logits, what choices cost in simulation.
"""

from simdistill.distill.losses import Weights
from simdistill.distill.method import Stage
from simdistill.distill.methods.simdistill import SimDistill


class KD(SimDistill):
    """Forward KL to soft targets: a softmax of the simulated values that knows their noise."""

    @property
    def stages(self) -> list[Stage]:
        settings = self.config.distill
        return [Stage("train", settings.questions, settings.batch_size)]

    @property
    def weights(self) -> Weights:
        return Weights(imitation=1.0, soft=1.0, regret=0.0, validity=1.0)
