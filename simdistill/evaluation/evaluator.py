"""The examination of one task: every policy on the same parameters and random numbers."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from simdistill import registry
from simdistill.config import RunConfig, TaskConfig
from simdistill.data.question import Question
from simdistill.envs.prompts import Prompter
from simdistill.evaluation import exact, exhibits
from simdistill.evaluation.cases import OPTIMUM, Case, draw, title
from simdistill.evaluation.examination import Examination
from simdistill.evaluation.new_situations import examples, scored_forecasts
from simdistill.evaluation.simulated import confirm, play_in_step
from simdistill.evaluation.student_policy import StudentPolicy
from simdistill.executors import Map
from simdistill.models.perplexity import perplexity
from simdistill.models.student import Student
from simdistill.progress import Progress
from simdistill.simulation import Policy
from simdistill.teachers.protocol import Lesson

UNTUNED_REPLICATIONS = 2
UNTUNED_MASS = 0.9
"""Share of the probability in which the untuned student is asked; where queues grow there is no end to it."""


class Decides(Protocol):
    """A teacher that answers by itself, and so is examined in place of the policy of its lesson.

    It may further have `everywhere`, false if it is to be asked as little as the untuned student, and
    `valid_share`, the share of its answers that were a choice and nothing else.
    """

    def policy(self, prompter: Prompter, /) -> Policy:
        """Returns a policy that decides as the teacher answers."""
        ...


def evaluate(
    config: RunConfig,
    task: TaskConfig,
    lesson: Lesson,
    student: Student,
    untuned: Callable[[], Student],
    questions: Sequence[Question],
    decides: Decides | None,
    compute: Map,
    progress: Progress,
) -> Examination:
    """Examines every policy of a task.

    Args:
        config: The run.
        task: The task.
        lesson: The teacher's; its policy goes on deciding in simulated futures whoever answers.
        student: The trained student.
        untuned: Loads the student without its adapter; it is asked with the default parameters only.
        questions: The training questions.
        decides: The teacher, if it answers by itself.
        compute: Runs simulations.
        progress: Shows how far a phase is.
    """
    settings, prompter = config.evaluation, Prompter(task.language)
    heuristic = registry.policies(task.simulator)[task.heuristic]
    cases = draw(task, settings, compute, partial(progress, "prepare policies"))
    ask = partial(_ask, task, config, heuristic, progress)

    beginner = untuned()
    beginner_policy = StudentPolicy(beginner, prompter)
    ask(cases[:1], "untuned", beginner_policy, UNTUNED_MASS, replications=UNTUNED_REPLICATIONS, mapped=False)
    perplexities = {"untuned": perplexity(beginner), "student": perplexity(student)}

    teacher = lesson.policy if decides is None else decides.policy(prompter)
    if decides is None:
        for case in cases:
            case.examine("teacher", teacher, heuristic)
    elif getattr(decides, "everywhere", True):
        ask(cases, "teacher", teacher, settings.tabulated_mass)
    else:
        few, most = UNTUNED_REPLICATIONS, exact.MOST_ASKED
        ask(cases[:1], "teacher", teacher, UNTUNED_MASS, replications=few, most=most)

    student_policy = StudentPolicy(student, prompter)
    ask(cases, "student", student_policy, settings.tabulated_mass)
    confirm(task, settings, cases, compute, partial(progress, "simulate policies"))

    scored = partial(progress, "score forecasts")
    forecasts = scored_forecasts(task, settings, lesson.policy, student_policy, questions, compute, scored)
    shown = examples(
        task,
        settings,
        lesson.policy,
        config.teacher.horizon,
        teacher,
        student_policy,
        partial(progress, "show examples"),
    )
    return Examination(
        task,
        settings,
        cases,
        reference=task.reference or _reference(task, cases, decides),
        teacher=teacher,
        student=student_policy,
        perplexity=perplexities,
        untuned_valid=beginner_policy.valid,
        teacher_valid=getattr(decides, "valid_share", None),
        teacher_lenient=getattr(decides, "lenient_share", None),
        forecasts=forecasts,
        shown=shown,
    )


def _reference(task: TaskConfig, cases: Sequence[Case], decides: Decides | None) -> str:
    """Returns the policy that others are compared with where the task doesn't say: the best that is known."""
    if cases[0].chain is not None:
        return OPTIMUM
    return "teacher" if decides is None else task.heuristic


def _ask(
    task: TaskConfig,
    config: RunConfig,
    heuristic: Policy,
    progress: Progress,
    cases: Sequence[Case],
    name: str,
    policy: Policy,
    mass: float,
    *,
    replications: int | None = None,
    most: int | None = None,
    mapped: bool = True,
) -> None:
    """Examines a policy that is costly to ask: in the states that matter, or by playing all in step.

    Args:
        task: The task.
        config: The run.
        heuristic: Stands in for it beyond the chain.
        progress: Shows how far it is.
        cases: Where it is examined.
        name: Its name.
        policy: Decides.
        mass: Share of the stationary probability in which it is asked itself.
        replications: Replications that it plays, if fewer than others.
        most: States that are added at once, if answers have a price.
        mapped: Whether it is asked in all states that the decision map shows.
    """
    if cases[0].chain is None:
        phase = partial(progress, f"let the {title(name)} play")
        play_in_step(task, config.evaluation, cases, name, policy, phase, replications)
        return
    for number, case in enumerate(cases):
        case.policies[name] = exact.examine_where_it_matters(
            case.solved,
            case.stationary(OPTIMUM),
            policy,
            heuristic,
            mass,
            exhibits.map_states(case) if mapped and case.setting == "default" else None,
            most,
        )
        progress(f"ask the {title(name)}", number + 1, len(cases))
