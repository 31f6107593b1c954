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
        student: The student as a policy, with the answers that it gave.
        perplexity: Perplexity of plain English text under the `untuned` and the trained `student`.
        untuned_valid: Share of the untuned student's answers that consisted of a choice alone.
        teacher_valid: Share of the answers of a language model that teaches that could be read as a choice;
            None for other teachers.
        forecasts: Scored forecasts; empty if training had no forecast questions.
        shown: Examples for the report: new situations with the student's answers and simulated costs.
        teacher_lenient: Share of the answers of a language model that teaches that were read as a choice
            although they have another form, such as `**A**`; None for other teachers.
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
