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
        generation: Its number.
        accepted: Whether it replaced the policy before it.
        improvement: Relative cost that it saves.
        states: Searched states.
        simulator_steps: Simulated decisions.
        futures_coupled: Share of the pairs of futures that became equal.
        states_unsettled: Searched states in which the last horizon couldn't tell what some choice costs; None
            in results of before it was counted.
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
        reference: The policy that all are compared with.
        heuristic: What a practitioner would use.
        policies: All examined policies, `student` and `teacher` among them.
        measures: Measure -> setting -> estimate; None where it is undefined.
        valid_answers: Share of the asked states in which unconstrained decoding gives one of the choices.
        lenient_answers: Share of them in which it gives a choice in another form, as `**A**` or `Answer: A`;
            None in results of older versions.
        said_instead_of_choices: What the student wrote first, if it never answered with a choice.
        answer_mass: Mean probability of answering with a choice at all.
        untuned_valid_answers: The untuned student's share of valid answers.
        teacher_valid_answers: The same of a language model that teaches.
        teacher_lenient_answers: Share of its answers that were read as a choice though they aren't just one.
        forecasts: Scores of forecasts, if training asked for any.
        questions_asked: States in which the student was asked.
        simulator_steps: Simulated decisions.
        states_searched: States that were searched to teach.
        generations: The searching teacher's.
        failed_rollouts: What simulations failed of; they count nowhere.
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
