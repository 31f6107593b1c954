"""Supervised fine-tuning on the answers that the simulator finds good.

Rejection sampling by a verifier, as in STaR (Zelikman et al., arXiv 2203.14465) and RAFT (Dong et al., arXiv
2304.06767): an answer stays if what it gives away is certainly small against the spread between choices.
"""

from dataclasses import replace

from simdistill.data.kinds.decision import DecisionQuestion
from simdistill.data.question import Question
from simdistill.errors import InputError
from simdistill.training.methods.sft import SFT
from simdistill.training.stages import Stage


class FilteredSFT(SFT):
    """SFT on the questions whose best choice the simulator is sure of."""

    @property
    def stages(self) -> list[Stage]:
        return [replace(stage, forecasts=False) for stage in super().stages]

    def wanted(self, questions: list[Question]) -> list[Question]:
        kept = [q for q in questions if isinstance(q, DecisionQuestion) and certain(q)]
        if not kept:
            raise InputError(
                f"the simulator is sure of none of {len(questions)} answers; raise teacher.futures, or use "
                "method=sft"
            )
        return list(kept)


def certain(question: DecisionQuestion) -> bool:
    """Whether every other choice is worse than the answer by two standard errors."""
    chosen = question.choices.index(question.answer)
    cost, error = question.values[chosen], question.standard_errors[chosen]
    return all(
        value - cost >= 2.0 * (error**2 + other**2) ** 0.5
        for place, (value, other) in enumerate(zip(question.values, question.standard_errors, strict=True))
        if place != chosen
    )
