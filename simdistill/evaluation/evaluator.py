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
"""Share of the stationary probability whose states the untuned student is asked about.

It is below the trained student's share: under a policy whose queues grow, ever more states would be needed.
"""


class Decides(Protocol):
    """A teacher that answers by itself; it is examined in place of its lesson's policy.

    Two further attributes are optional: `everywhere`, False if the teacher should be asked as seldom as the
    untuned student, and `valid_share`, the share of its answers that consisted of a choice alone.
    """

    def policy(self, prompter: Prompter, /) -> Policy:
        """Returns a policy whose decisions are the teacher's answers."""
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
        config: The run's configuration.
        task: The task.
        lesson: The teacher's lesson; its policy continues all simulated futures, whoever decides first.
        student: The trained student.
        untuned: Loads the student without its adapter, which is examined with the default parameters only.
        questions: The training questions.
        decides: The teacher, if it answers by itself; else None.
        compute: Map that runs simulations, possibly in worker processes.
        progress: Shows the progress of each phase.
    """
    settings, prompter = config.evaluation, Prompter(task.language)
    heuristic = registry.policies(task.simulator)[task.heuristic]
    cases = draw(task, settings, compute, partial(progress, "prepare policies"))
    ask = partial(_ask, task, config, heuristic, progress)

    beginner = untuned()
    beginner_policy = StudentPolicy(beginner, prompter)
    ask(cases[:1], "untuned", beginner_policy, UNTUNED_MASS, replications=UNTUNED_REPLICATIONS, mapped=False)
    perplexities = {}
    for read, (name, reader) in enumerate({"untuned": beginner, "student": student}.items()):
        progress("read plain English", read, 2)
        perplexities[name] = perplexity(reader)
    progress("read plain English", 2, 2)

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
    """Returns the reference policy of a task that names none: the best policy that is known."""
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
    """Examines a policy that is costly to query.

    With a chain the policy is queried in the most probable states; without one all its replications advance
    together.

    Args:
        task: The task.
        config: The run's configuration.
        heuristic: The policy for states beyond the chain.
        progress: Shows the progress of the phase.
        cases: The cases to examine the policy with.
        name: The policy's name.
        policy: The policy.
        mass: Share of the stationary probability whose states the policy itself is queried in.
        replications: Number of replications, if fewer than those of other policies.
        most: Largest number of states to add in one pass, for a policy whose answers cost money.
        mapped: Whether the policy is also queried in all states that the decision map shows.
    """
    if cases[0].chain is None:
        phase = partial(progress, f"let the {title(name)} play")
        play_in_step(task, config.evaluation, cases, name, policy, phase, replications)
        return
    phase = f"ask the {title(name)}"
    progress(phase, 0, len(cases))
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
        progress(phase, number + 1, len(cases))
