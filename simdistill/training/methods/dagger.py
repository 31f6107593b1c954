"""Supervised fine-tuning on states that the student visits, labelled by the teacher.

DAgger (Ross, Gordon and Bagnell, AISTATS 2011, arXiv 1011.0686).
"""

from simdistill.training.method import Stage, own_rounds
from simdistill.training.methods.sft import SFT


class DAgger(SFT):
    """SFT, then more of it on states of the student's own rollouts."""

    @property
    def stages(self) -> list[Stage]:
        return own_rounds(self.config)
