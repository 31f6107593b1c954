"""Supervised fine-tuning on the teacher's answers that are best with certainty by the simulator's costs.

Rejection sampling by a verifier, as in STaR (Zelikman et al., arXiv 2203.14465) and RAFT (Dong et al., arXiv
2304.06767): a question is kept if every other choice costs more by at least two standard errors.
"""

from dataclasses import replace

from simdistill.data.kinds.decision import DecisionQuestion
from simdistill.data.question import Question
from simdistill.errors import InputError
from simdistill.training.methods.sft import SFT
from simdistill.training.stages import Stage


class FilteredSFT(SFT):
    """SFT on the questions whose answer is best with certainty by the simulator's costs."""

    @property
    def stages(self) -> list[Stage]:
        return [replace(stage, forecasts=False) for stage in super().stages]

    def wanted(self, questions: list[Question]) -> list[Question]:
        kept = [q for q in questions if isinstance(q, DecisionQuestion) and certain(q)]
        if not kept:
            raise InputError(
                f"none of {len(questions)} answers is better than every other choice by two standard errors "
                "of the simulated costs; raise teacher.futures, or use method=sft"
            )
        return list(kept)


def certain(question: DecisionQuestion) -> bool:
    """Returns whether every other choice costs more than the answer by at least two standard errors."""
    chosen = question.choices.index(question.answer)
    cost, error = question.values[chosen], question.standard_errors[chosen]
    return all(
        value - cost >= 2.0 * (error**2 + other**2) ** 0.5
        for place, (value, other) in enumerate(zip(question.values, question.standard_errors, strict=True))
        if place != chosen
    )
