"""Supervised fine-tuning on states that the student visits, labelled by the teacher.

DAgger (Ross, Gordon and Bagnell, AISTATS 2011, arXiv 1011.0686).
"""

from simdistill.training.methods.sft import SFT
from simdistill.training.stages import Stage, on_policy_rounds


class DAgger(SFT):
    """SFT on the teacher's states, then also on states of the student's own rollouts."""

    @property
    def stages(self) -> list[Stage]:
        return on_policy_rounds(self.config)
