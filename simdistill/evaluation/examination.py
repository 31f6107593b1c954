"""The results of examining all policies of one task."""

from collections.abc import Sequence
from dataclasses import dataclass

from simdistill.config import EvaluationConfig, TaskConfig
from simdistill.evaluation.cases import Case
from simdistill.evaluation.forecast_scores import ScoredForecast
from simdistill.evaluation.student_policy import StudentPolicy
from simdistill.simulation import Policy


@dataclass(frozen=True)
class Examination:
    """The results of examining all policies of one task.

    Attributes:
        task: The task.
        settings: Evaluation settings, with the numbers of parameter sets and replications.
        cases: Parameter sets of all settings, with the results of each policy.
        reference: The policy that all others are compared with.
        teacher: The teacher as a policy.
        student: The student as a policy, with its answers.
        perplexity: Of plain English, by the `untuned` and the trained `student`.
        untuned_valid: Share of the untuned student's answers that were a choice and nothing else.
        teacher_valid: The same of a language model that teaches.
        forecasts: Scored forecasts; none if training asked for none.
        shown: Some new situations with the student's answers and the simulator's costs.
        teacher_lenient: Share of a teaching language model's answers that were read as a choice though they
            aren't just one.
    """

    task: TaskConfig
    settings: EvaluationConfig
    cases: Sequence[Case]
    reference: str
    teacher: Policy
    student: StudentPolicy
    perplexity: dict[str, float]
    untuned_valid: float
    teacher_valid: float | None
    forecasts: Sequence[ScoredForecast]
    shown: Sequence[dict]
    teacher_lenient: float | None = None
