"""Weights of the terms of the exact loss."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Weights:
    """Weights i, w, a and b of the loss in `simdistill.training.losses`.

    Attributes:
        imitation: i, the weight of the cross-entropy to the teacher.
        soft: w in [0, 1], the share of the soft target in the imitation.
        regret: a, the weight of the expected regret in units of the task's scale.
        validity: b, the weight of the negative log-probability of all choices together.
    """

    imitation: float = 1.0
    soft: float = 1.0
    regret: float = 0.0
    validity: float = 1.0
