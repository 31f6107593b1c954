"""A method: cross-entropy on the teacher's answers, with every answer counted alpha times."""

from typing import cast

from pydantic import Field

from simdistill.config import MethodConfig
from simdistill.training.methods.simdistill import SimDistill
from simdistill.training.stages import Stage
from simdistill.training.weights import Weights


class Drill(SimDistill):
    """Cross-entropy on the teacher's answers, alpha times."""

    class Config(MethodConfig):
        """The drill's own field."""

        alpha: float = Field(default=1.0, gt=0, description="weight of an answer")

    loss_weights_used = ()

    @property
    def stages(self) -> list[Stage]:
        """One stage on the teacher's states."""
        settings = self.config.distill
        return [Stage("drill", settings.questions, settings.batch_size)]

    @property
    def weights(self) -> Weights:
        """Only the answers count."""
        settings = cast(Drill.Config, self.config.method)
        return Weights(imitation=settings.alpha, soft=0.0, regret=0.0, validity=0.0)
