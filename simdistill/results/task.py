"""Results of one task: the costs of its policies, and measures of the student.

Costs are averages per unit of time, or per episode of a terminating task, in the task's cost unit. A cost
"over" another is their ratio minus one: 0.05 is five per cent more.
"""

from pydantic import Field, FiniteFloat, NonNegativeInt, model_validator

from simdistill.results.parts import SETTINGS, BySetting, MaybeEstimate, Part, Share
from simdistill.statistics import Estimate


class Simulated(Part):
    """A simulated cost, given in addition to the exact one."""

    mean: FiniteFloat
    ci95: list[FiniteFloat] | None
    replications: NonNegativeInt


class Cost(Part):
    """A policy's cost in one setting.

    Attributes:
        mean: Mean over the parameter sets; None if queues grow without bound.
        ci95: The mean's 95% interval.
        exact: Whether the cost was computed by solving the process rather than by simulation.
        replications: Number of simulated replications for each parameter set.
        simulated: The simulated cost that confirms an exact one.
        tabulated: Share of time in states in which the policy itself was queried; None without exact costs.
        unstable: Whether queues grow without bound.
        growth: Growth of the cost per unit of time under an unstable policy.
    """

    mean: FiniteFloat | None
    ci95: list[FiniteFloat] | None
    exact: bool
    replications: NonNegativeInt
    simulated: Simulated | None = None
    tabulated: FiniteFloat | None = None
    unstable: bool = False
    growth: MaybeEstimate = None

    @property
    def estimate(self) -> Estimate | None:
        """Mean and interval of the cost; None if queues grow."""
        return Estimate.of({"mean": self.mean, "ci95": self.ci95})


class PolicyResults(Part):
    """The costs of one policy.

    Attributes:
        title: The policy's name as readers see it.
        cost: Setting -> cost; None where the policy wasn't examined.
        over_reference: Setting -> paired ratio of the policy's cost to the reference's, minus one; None where
            either cost is unknown.
    """

    title: str
    cost: dict[str, Cost | None]
    over_reference: BySetting

    @model_validator(mode="after")
    def _has_every_setting(self) -> "PolicyResults":
        for name, entry in (("cost", self.cost), ("over_reference", self.over_reference)):
            if lacking := [setting for setting in SETTINGS if setting not in entry]:
                raise ValueError(f"{name} lacks {', '.join(lacking)}")
        return self


class Spoken(Part):
    """A student's text that isn't one of the choices, with the choices it should have selected from."""

    said: str
    choices: list[str]


class Forecasts(Part):
    """Log scores of forecasts, in nats.

    Attributes:
        log_score: Mean log scores of the `marginal` forecast, the `student` and the `simulator`.
        states: Number of states in which forecasts were examined.
        futures: Number of simulated futures of each state.
    """

    log_score: dict[str, FiniteFloat]
    states: NonNegativeInt
    futures: NonNegativeInt


class SimulatorSteps(Part):
    """Numbers of simulated decisions, by purpose: teaching, on-policy states, and the examination."""

    teach: NonNegativeInt
    own_states: NonNegativeInt
    examine: NonNegativeInt


class Generation(Part):
    """One generation of the search teacher's policy iteration.

    Attributes:
        generation: Number of the generation.
        accepted: Whether the generation's policy replaced the previous policy.
        improvement: Share of the previous policy's cost that the generation's policy saves.
        states: Number of searched states.
        simulator_steps: Number of simulated decisions.
        futures_coupled: Share of the pairs of futures that reached the same state and so became identical.
        states_unsettled: Number of searched states in which even the longest horizon couldn't tell what some
            choice costs; None in results that don't have it.
    """

    generation: int
    accepted: bool
    improvement: MaybeEstimate
    states: NonNegativeInt
    simulator_steps: NonNegativeInt
    futures_coupled: FiniteFloat
    states_unsettled: NonNegativeInt | None = None


class TaskResults(Part):
    """The results of one task.

    Attributes:
        task: The task's name.
        reference: Name of the policy that all others are compared with.
        heuristic: Name of the policy that a practitioner would use.
        policies: Name -> results of each examined policy, including `student` and `teacher`.
        measures: Measure -> setting -> estimate; None where the measure is undefined.
        valid_answers: Share of situations in which the student's unconstrained answer is one of the choices.
        lenient_answers: Share of situations in which that answer is a choice in another form, such as `**A**`
            or `Answer: A`; `valid_answers` doesn't contain it. None in results that don't have it.
        said_instead_of_choices: The student's first texts, if it never answered with a choice.
        answer_mass: Mean probability that the student's unconstrained answer is one of the choices.
        untuned_valid_answers: The untuned student's share of valid answers.
        teacher_valid_answers: Share of valid answers of a language model that teaches; None for others.
        teacher_lenient_answers: Share of a teaching language model's answers that were read as a choice
            although they have another form; `teacher_valid_answers` contains it. None for other teachers.
        forecasts: Scores of the student's forecasts; None if training had no forecast questions.
        questions_asked: Number of different situations in which the student was queried.
        simulator_steps: Numbers of simulated decisions.
        states_searched: Number of states that were searched for teaching.
        generations: The generations of a search teacher.
        failed_rollouts: Messages of the simulations that failed; these simulations enter no other result.
    """

    task: str
    reference: str
    heuristic: str
    policies: dict[str, PolicyResults]
    measures: dict[str, BySetting]
    valid_answers: Share
    lenient_answers: Share | None = None
    said_instead_of_choices: list[Spoken] = Field(default_factory=list)
    answer_mass: FiniteFloat
    untuned_valid_answers: Share
    teacher_valid_answers: Share | None
    teacher_lenient_answers: Share | None = None
    forecasts: Forecasts | None
    questions_asked: NonNegativeInt
    simulator_steps: SimulatorSteps
    states_searched: NonNegativeInt
    generations: list[Generation]
    failed_rollouts: list[str]

    @model_validator(mode="after")
    def _names_its_policies(self) -> "TaskResults":
        lacking = {self.reference, self.heuristic, "student", "teacher"} - self.policies.keys()
        if lacking:
            raise ValueError(f"policies lack {', '.join(sorted(lacking))}")
        return self

    def measure(self, name: str, setting: str) -> Estimate | None:
        """Returns a measure's estimate in one setting; None if it is undefined or wasn't computed."""
        return self.measures.get(name, {}).get(setting)
