"""How much each term of the exact loss counts."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Weights:
    """Weights of the loss's terms.

    Attributes:
        imitation: i, of the cross-entropy to the teacher.
        soft: w in [0, 1], the share of the soft target in the imitation.
        regret: a, of the expected regret in units of the task's scale.
        validity: b, of the probability that falls outside the choices.
    """

    imitation: float = 1.0
    soft: float = 1.0
    regret: float = 0.0
    validity: float = 1.0
