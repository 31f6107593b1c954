"""The settings of a run, with their units, bounds and defaults."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from simdistill.errors import InputError

Count = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(ge=0)]

LANGUAGE_MODELS = ("hf", "endpoint")
"""Teachers that are language models."""


class _Config(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Range(_Config):
    """Numbers from which one is drawn and then rounded, so that it can be told in words exactly."""

    low: float = Field(description="lowest value, in the parameter's unit")
    high: float = Field(description="highest value, in the parameter's unit")
    decimals: int = Field(default=1, ge=0, le=9, description="decimals kept when rounding")
    spacing: Literal["linear", "log"] = Field(
        default="linear",
        description="linear: uniform in x; log: uniform in log(1 + x), so that it may begin at zero",
    )

    @model_validator(mode="after")
    def _ordered(self) -> "Range":
        if self.low > self.high:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}")
        if self.spacing == "log" and self.low < 0:
            raise ValueError(f"low {self.low:g} is below 0, where log spacing ends")
        return self


class Bounds(_Config):
    """What a number must lie between, both ends included."""

    low: float | None = Field(default=None, description="lowest value allowed")
    high: float | None = Field(default=None, description="highest value allowed")


# The tags keep error messages to the form that was written; `_dotted` leaves them out.
ONE, EACH = "(one)", "(each)"
RangeOrRanges = Annotated[
    Annotated[Range, Tag(ONE)] | Annotated[list[Range], Tag(EACH)],
    Discriminator(lambda value: EACH if isinstance(value, list) else ONE),
]


class Ranges(_Config):
    """A distribution over parameters: independent draws, drawn again until the requirements hold."""

    values: dict[str, RangeOrRanges] = Field(
        default_factory=dict, description="parameter -> its range, or one range per component"
    )
    require: dict[str, Bounds] = Field(
        default_factory=dict,
        description="numeric property of the simulator's Params -> bounds, as load: {high: 0.9}",
    )


class Withheld(Ranges):
    """Stands in for ranges that a training run has no business to know."""

    def __getattribute__(self, name: str) -> Any:
        if name in ("values", "require"):
            raise InputError(
                "task.parameters.out_of_distribution is withheld from training: "
                "these ranges are for the examination only"
            )
        return super().__getattribute__(name)


class ParametersConfig(_Config):
    """Which parameters the process has where."""

    default: dict[str, Any] = Field(default_factory=dict, description="parameters of the headline figures")
    train: Ranges = Field(default_factory=Ranges, description="drawn afresh for each training episode")
    out_of_distribution: Ranges = Field(
        default_factory=Ranges, description="for the examination only: what training never showed"
    )
    starts: dict[str, RangeOrRanges] = Field(
        default_factory=dict,
        description="further parameters, drawn for teaching episodes so that they start elsewhere",
    )


class LanguageConfig(_Config):
    """How a state is put in words: Jinja templates over the observed state and the parameters."""

    description: str = Field(
        description="the process and how to answer; the same for every question of the task"
    )
    situation: str = Field(description="the state at one decision")


class TaskConfig(_Config):
    """A process, its parameters, its words, and how it is judged."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", description="the task's name and its output folder's"
    )
    simulator: str = Field(description="registered name, or module:attribute")
    description: str = Field(default="", description="one line")
    kind: Literal["steady_state", "terminating"] = Field(
        default="steady_state",
        description="average cost per time unit after a warm-up, or total cost of one episode",
    )
    time_unit: str = Field(default="minute", description="what one unit of simulated time is")
    cost_unit: str = Field(default="cost", description="what one unit of cost is")
    warm_up: float = Field(
        default=0.0, ge=0, description="simulated time left out at the start of a replication"
    )
    horizon: float = Field(
        default=1000.0, gt=0, description="simulated time of a replication after the warm-up"
    )
    parameters: ParametersConfig = Field(default_factory=ParametersConfig)
    language: LanguageConfig
    heuristic: str = Field(
        description="the policy a practitioner would use; heuristic_gap_closed refers to it"
    )
    policies: list[str] = Field(
        default_factory=list, description="the simulator's policies in the examination"
    )
    reference: str | None = Field(
        default=None,
        description="the best policy known: a policy of the simulator, teacher, or optimum; null: the exact "
        "optimum where the simulator can be solved, else the teacher",
    )
    scale: float = Field(default=1.0, gt=0, description="cost units of regret that count as a loss of 1")


class TeacherConfig(_Config):
    """What-if search in generations over a base policy, or a policy as it is."""

    name: str = Field(default="search", description="a registered teacher, or a policy of the simulator")
    base: str = Field(
        default="random",
        description="the policy the first generation of search stands on; a language model's states are its",
    )
    model: str | None = Field(
        default=None,
        description="a language model that teaches: as in student.name, or its name at base_url",
    )
    adapter: Annotated[Path, Field(strict=False)] | None = Field(
        default=None, description="folder of an adapter of that model; a run's adapter/, for example"
    )
    base_url: str | None = Field(
        default=None, description="of an OpenAI-compatible server, as in http://localhost:8000/v1"
    )
    generations: int = Field(default=3, ge=1, le=10, description="steps of policy improvement")
    scenarios: Count = Field(default=300, description="drawn parameters of each generation")
    episodes_per_scenario: Count = Field(
        default=4, description="teaching episodes with the same parameters, each with a beginning of its own"
    )
    states_per_episode: Count = Field(default=2, description="decisions searched in an episode")
    decisions_before: int = Field(
        default=0,
        ge=0,
        description="up to so many decisions pass before the first searched one; drawn for each episode",
    )
    decisions_between: int = Field(default=1, ge=0, description="decisions that pass between searched ones")
    futures: int = Field(
        default=16, ge=1, description="simulated futures of every choice in a searched state"
    )
    forecast_futures: int = Field(default=32, ge=2, description="simulated futures of a forecast")
    horizon: float = Field(
        default=60.0,
        gt=0,
        description="simulated time of a future at first; doubled until differences stand still",
    )
    random_actions: float = Field(
        default=0.15, ge=0, le=1, description="share of random decisions that spread the states"
    )
    folds: int = Field(
        default=5, ge=2, description="cross-fitting folds of the regression that denoises values"
    )
    denoise: bool = Field(default=True, description="whether that regression mends taught values")
    moderate: bool = Field(
        default=True,
        description="whether the variance of a state's few futures is drawn to what is usual in such states",
    )
    compared_sets: int = Field(
        default=40,
        ge=2,
        description="parameter sets on which a generation must beat the one before, exactly where the state "
        "is Markov, else simulated on common random numbers",
    )

    @model_validator(mode="after")
    def _complete(self) -> "TeacherConfig":
        if self.is_language_model and not self.model:
            raise ValueError(f"name={self.name} is a language model; say which one with teacher.model")
        if self.name == "endpoint" and not self.base_url:
            raise ValueError(
                "name=endpoint needs the server's address, as in teacher.base_url=http://localhost:8000/v1"
            )
        if self.name == "endpoint" and self.adapter:
            raise ValueError(
                f"adapter={self.adapter} can't be sent to a server; let it serve the adapter under a name of "
                "its own, and give that as teacher.model"
            )
        return self

    @property
    def states(self) -> int:
        """States searched in a generation; each becomes a question."""
        return self.scenarios * self.episodes_per_scenario * self.states_per_episode

    @property
    def is_language_model(self) -> bool:
        """Whether a language model is asked for the answers."""
        return self.name in LANGUAGE_MODELS

    @property
    def played(self) -> str:
        """The simulator's policy whose states and values are taught where nothing is searched."""
        return self.base if self.is_language_model else self.name


class LoraConfig(_Config):
    """The trained part of the student."""

    r: int = Field(default=16, ge=1, le=1024, description="rank")
    alpha: float = Field(default=32.0, gt=0, description="the update is multiplied by alpha / r")
    targets: str | list[str] = Field(default="all-linear", description="modules, or all-linear")
    layers: int | None = Field(
        default=None,
        ge=1,
        description="only the last so many layers, or all of a pruned student's if fewer; null: all",
    )


class StudentConfig(_Config):
    """The language model that learns the process."""

    name: str = Field(
        default="smollm2-135m", description="registered student, model folder, or owner/name on the hub"
    )
    layers: int | None = Field(
        default=None,
        ge=2,
        description="decoder layers kept, evenly spaced, the first and the last among them; null: all",
    )
    lora: LoraConfig = Field(default_factory=LoraConfig)
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="arithmetic of training, auto for the faster one; decisions are always made in float32",
    )


class GrpoConfig(_Config):
    """Reinforcement learning on sampled answers; only methods that sample use it."""

    questions: Count = Field(default=480, description="questions answered, each by `samples` answers")
    again: bool = Field(
        default=False,
        description="after another stage, ask its first questions again; else new ones as far as there are",
    )
    prompts: Count = Field(default=8, description="questions in a step")
    samples: int = Field(default=8, ge=2, description="answers sampled for a question")
    temperature: float = Field(
        default=1.0,
        gt=0,
        le=100,
        description="of the sampling; above 1 a student that is sure of an answer tries others as well",
    )
    answer_tokens: int | None = Field(
        default=None,
        ge=1,
        description="tokens that a sampled answer may have, never fewer than the longest choice needs; null: "
        "just those. More lets a student reason before 'Answer:'; GRPO's loss is divided by it",
    )
    vllm: bool = Field(
        default=False,
        description="sample with vLLM beside the trainer, on a graphics card; needs simdistill[vllm]",
    )
    demonstrations: Count = Field(
        default=32, description="questions imitated in a step, by methods that imitate in the same step"
    )
    learning_rate: float | None = Field(
        default=None, gt=0, le=1, description="at first, decays to zero; null: what the method has without it"
    )


class OpdConfig(_Config):
    """Distillation on the student's own answers; only the method opd uses it."""

    questions: Count = Field(default=480, description="questions answered, after the first stage")
    prompts: Count = Field(default=16, description="questions in a step")
    divergence: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="1: reverse KL, which goes for the teacher's likeliest answer; 0: forward KL, which "
        "covers them all; between: generalised Jensen-Shannon",
    )
    learning_rate: float = Field(default=1e-4, gt=0, le=1, description="at first; decays to zero")


class DistillConfig(_Config):
    """The loss, its optimiser and its budget.

    A question's loss is `imitation * ((1 - soft) * CE(teacher's choice) + soft * CE(soft targets))
    + regret * expected regret + validity * -log(probability of any valid answer)`.
    """

    imitation: Weight = Field(default=1.0, description="weight of imitating the teacher")
    soft: float = Field(
        default=1.0, ge=0, le=1, description="share of soft targets in imitation; the rest is hard labels"
    )
    regret: Weight = Field(
        default=1.0, description="weight of the simulator's expected regret, in units of task.scale"
    )
    validity: Weight = Field(default=1.0, description="weight of answering with one of the choices")
    temperature: float = Field(
        default=0.1,
        gt=0,
        description="of the soft targets, in units of task.scale; standard errors are added to it",
    )
    learning_rate: float | None = Field(
        default=None, gt=0, le=1, description="peak, decays to zero; null: the method's own"
    )
    warmup_steps: int = Field(default=5, ge=0, description="steps until the peak")
    batch_size: Count = Field(default=32, description="questions in a step")
    accumulation: Count = Field(
        default=1,
        description="equal parts in which a step's questions, or sampled answers, are computed one after the "
        "other: more take less memory, and change nothing else",
    )
    balanced: bool = Field(
        default=True,
        description="whether questions are put in an order in which each step has about the usual answers",
    )
    packed: bool = Field(
        default=False,
        description="imitate answers in packed batches, with the same loss as TRL's own trainer and several "
        "times faster; only methods that imitate answers use it, ours always packs",
    )
    questions: Count = Field(default=1600, description="questions on the teacher's states")
    forecasts: int = Field(
        default=160, ge=0, description="of these states, in how many the simulator's outcome is asked, too"
    )
    tune_questions: Count = Field(default=200, description="questions held out for the learning curve")
    tune_steps: Count = Field(default=40, description="steps from one point of the curve to the next")
    rounds: int = Field(default=1, ge=0, description="later rounds on states of the student's own rollouts")
    round_questions: Count = Field(default=400, description="questions of each later round")
    round_teacher_questions: int = Field(
        default=0,
        ge=0,
        description="questions on the teacher's states, not asked before, that are mixed with a round's",
    )
    round_states_per_episode: Count = Field(
        default=6, description="decisions searched in each of the student's own episodes"
    )
    round_decisions_between: int = Field(
        default=1, ge=0, description="decisions that pass before each searched one in these episodes"
    )
    grpo: GrpoConfig = Field(default_factory=GrpoConfig)
    opd: OpdConfig = Field(default_factory=OpdConfig)
    checkpoint_steps: Count = Field(
        default=10, description="steps between checkpoints from which a stopped run goes on"
    )


class EvaluationConfig(_Config):
    """How every policy is examined, all on the same parameters and random numbers."""

    seed: int = Field(default=0, ge=0, description="of the test tree; training seeds don't change it")
    parameter_sets: Count = Field(default=8, description="drawn in distribution, and as many out of it")
    replications: int = Field(
        default=20, ge=2, description="simulated replications of each policy and parameter set"
    )
    tabulated_mass: float = Field(
        default=0.9999,
        gt=0,
        lt=1,
        description="share of the stationary probability in which the student is asked itself",
    )
    forecasts: int = Field(
        default=60, ge=0, description="states in distribution in which the simulator's outcome is asked"
    )
    forecast_futures: int = Field(
        default=128, ge=16, description="simulated futures that score an examined forecast"
    )
    questions_shown: int = Field(
        default=10, ge=0, description="examples with the student's answers in the report"
    )


class RunConfig(_Config):
    """All that decides the result of a run."""

    task: TaskConfig
    teacher: TeacherConfig = Field(default_factory=TeacherConfig)
    student: StudentConfig = Field(default_factory=StudentConfig)
    method: str = Field(default="simdistill", description="a registered method")
    distill: DistillConfig = Field(default_factory=DistillConfig)
    evaluation: EvaluationConfig = Field(default_factory=EvaluationConfig)
    seed: int = Field(default=0, ge=0, description="root of all training seeds")
    output: Annotated[Path, Field(strict=False)] | None = Field(
        default=None, description="the run's folder; null: outputs/<task>/<run>"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="where the language model runs; auto: a graphics card if there is one"
    )
    workers: int | None = Field(default=None, ge=1, description="simulating processes; null: one per core")
    threads: int | None = Field(
        default=None, ge=1, description="threads of the language model; null: one per core"
    )


PLACE = ("seed", "output", "workers", "threads")
"""Fields in which two runs of the same thing may differ: chance and place."""


def fingerprint(values: Mapping[str, Any]) -> str:
    """SHA-256 of a run's resolved configuration in plain values, without the fields of `PLACE`."""
    kept = {name: value for name, value in values.items() if name not in PLACE}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def for_training(config: RunConfig) -> RunConfig:
    """Returns what teacher and student may know of a run: its out-of-distribution ranges are withheld."""
    task = config.task
    parameters = task.parameters.model_copy(update={"out_of_distribution": Withheld()})
    return config.model_copy(update={"task": task.model_copy(update={"parameters": parameters})})
