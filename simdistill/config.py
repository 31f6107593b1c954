"""One typed description of a run, composed by Hydra from a task's YAML file and overrides.

    simdistill run task=queueing student.lora.r=8 seed=0,1,2

A task is a YAML file that begins with `defaults: [run, _self_]`; `run` holds the defaults written here, so
every field can be set in the file and overridden on the command line. Tasks come from the folder `tasks/` and
the current folder of the user, then from simdistill itself.
"""

import difflib
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

from simdistill import registry
from simdistill.errors import InputError
from simdistill.files import write_text

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
_ONE, _EACH = "(one)", "(each)"
RangeOrRanges = Annotated[
    Annotated[Range, Tag(_ONE)] | Annotated[list[Range], Tag(_EACH)],
    Discriminator(lambda value: _EACH if isinstance(value, list) else _ONE),
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
    decisions_between: int = Field(default=1, ge=0, description="decisions that pass between searched ones")
    futures: int = Field(
        default=16, ge=2, description="simulated futures of every choice in a searched state"
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
    prompts: Count = Field(default=8, description="questions in a step")
    samples: int = Field(default=8, ge=2, description="answers sampled for a question")
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
    questions: Count = Field(default=1600, description="questions on the teacher's states")
    forecasts: int = Field(
        default=160, ge=0, description="of these states, in how many the simulator's outcome is asked, too"
    )
    tune_questions: Count = Field(default=200, description="questions held out for the learning curve")
    tune_steps: Count = Field(default=40, description="steps from one point of the curve to the next")
    rounds: int = Field(default=1, ge=0, description="later rounds on states of the student's own rollouts")
    round_questions: Count = Field(default=400, description="questions of each later round")
    round_states_per_episode: Count = Field(
        default=6, description="decisions searched in each of the student's own episodes"
    )
    round_decisions_between: int = Field(
        default=1, ge=0, description="decisions that pass between searched ones in these episodes"
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


def compose(overrides: list[str], check: bool = True) -> list[RunConfig]:
    """Composes one run, or several where an override sweeps (`seed=0,1,2`), in the sweep's order.

    Args:
        overrides: Hydra overrides; `task=NAME`, or `task=folder/name.yaml`, is needed.
        check: Whether simulator, policies, teacher, method and student must exist.

    Raises:
        InputError: When anything is unknown, of a wrong type or out of bounds; one line per error.
    """
    configs = []
    for task, rest in _runs(overrides):
        config = _validated(_composed(task, rest), f"task={task}")
        if check:
            check_names(config)
        configs.append(config)
    if len(configs) > 1 and len({config.output for config in configs} - {None}) == 1:
        raise InputError(
            f"output={configs[0].output}: {len(configs)} runs can't share a folder; leave it out"
        )
    return configs


def save(config: RunConfig, path: Path | str) -> None:
    """Writes a run's resolved configuration as YAML."""
    write_text(path, yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True))


def load_config(path: Path | str) -> RunConfig:
    """Reads what `save` wrote.

    Raises:
        InputError: When the file is missing, isn't YAML, or doesn't describe a run.
    """
    return _validated(read_yaml(Path(path)), str(path))


def tasks() -> dict[str, Path]:
    """All tasks by name; the user's own go before simdistill's."""
    found = {}
    for folder in reversed(_folders()):
        for path in sorted(folder.glob("*.yaml")):
            if _is_task(path):
                found[path.stem] = path
    return dict(sorted(found.items()))


def describe_task(path: Path) -> str:
    """A task's one line."""
    return str((read_yaml(path).get("task") or {}).get("description", ""))


def check_names(config: RunConfig) -> None:
    """Checks that all that a configuration names exists, and that the simulator takes its default parameters.

    Raises:
        InputError: With what is available and what was probably meant.
    """
    simulator = registry.load("simulators", config.task.simulator)
    if not hasattr(simulator, "Params"):
        raise InputError(f"task.simulator: {config.task.simulator} isn't a process model; it has no Params")
    policies = ["random", *registry.policies(config.task.simulator)]
    _check_name("policy", "task.heuristic", config.task.heuristic, policies)
    for name in config.task.policies:
        _check_name("policy", "task.policies", name, policies)
    if config.task.reference is not None:
        if config.task.reference == "teacher" and config.teacher.name == "endpoint":
            raise InputError(
                "task.reference: an endpoint is examined with the default parameters only, so nothing can be "
                "compared with it elsewhere; leave task.reference out, or name a policy"
            )
        references = ["optimum", "teacher", *config.task.policies]
        _check_name("policy", "task.reference", config.task.reference, references)
    _check_name("policy", "teacher.base", config.teacher.base, policies)
    _check_name("teacher", "teacher.name", config.teacher.name, registry.names("teachers") + policies)
    _check_name("method", "method", config.method, registry.names("methods"))
    if config.method in FROM_A_MODEL:
        check_teacher_model(config)
    _check_model("student.name", config.student.name)
    if config.teacher.name == "hf":
        _check_model("teacher.model", config.teacher.model or "")
    try:
        simulator.Params.model_validate(config.task.parameters.default)
    except ValidationError as error:
        place = ("task", "parameters", "default")
        raise InputError(f"task={config.task.name}:{_explained(error, simulator.Params, place)}") from None


FROM_A_MODEL = {"hidden": "hidden states", "opd": "probabilities"}
"""What each method learns that a search can't teach."""


def check_teacher_model(config: RunConfig) -> None:
    """Checks that a run has a language model whose hidden states and probabilities can be learned.

    Raises:
        InputError: If there is none, or only an endpoint.
    """
    what = FROM_A_MODEL.get(config.method, "hidden states or probabilities")
    if config.teacher.model is None:
        raise InputError(
            f"method={config.method} learns from a language model's {what}; set teacher.model, or use "
            "method=kd"
        )
    if config.teacher.base_url is not None:
        raise InputError(
            f"method={config.method} learns from a language model's {what}, and teacher.base_url="
            f"{config.teacher.base_url} gives answers alone; set teacher.model to a folder or hub name and "
            "teacher.base_url to null, or use method=kd"
        )


def _check_name(noun: str, field: str, name: str, available: list[str]) -> None:
    if name not in available and ":" not in name:
        raise InputError(f"{field}: {registry.unknown(noun, name, dict.fromkeys(available))}")


def _check_model(field: str, name: str) -> None:
    if not Path(name).is_dir() and "/" not in name:
        _check_name("student", field, name, registry.names("students"))


def _folders() -> list[Path]:
    """Where tasks are looked for, first come first served."""
    return [Path.cwd() / "tasks", Path.cwd(), Path(str(files("simdistill.tasks")))]


def _is_task(path: Path) -> bool:
    """Whether a YAML file is a task: other tools leave theirs in the current folder, too."""
    try:
        return {"task", "defaults"} <= read_yaml(path).keys()
    except InputError:
        return False


def read_yaml(path: Path) -> dict:
    """Reads a mapping of fields.

    Raises:
        InputError: When the file is missing or isn't one.
    """
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: can't be read as YAML: {_reason(error)}") from None
    if not isinstance(value, dict):
        raise InputError(
            f"{path}: must be a mapping of fields, as in {next(iter(RunConfig.model_fields))}: …"
        )
    return value


def _task_file(task: str) -> Path:
    """The file of a task given by name or path."""
    if task.endswith((".yaml", ".yml")):
        path = Path(task).resolve()
        if not path.is_file():
            raise InputError(f"task={task}: there is no file {path}")
        return path
    for folder in _folders():
        if (path := folder / f"{task}.yaml").is_file():
            return path
    raise InputError(registry.unknown("task", task, tasks()))


def _runs(overrides: list[str]) -> Iterator[tuple[str, list[str]]]:
    """The task and the remaining overrides of each run of a sweep."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        parsed = OverridesParser.create().parse_overrides(overrides)
        variants = [list(_variants(override)) for override in parsed]
    except HydraException as error:
        raise InputError(f"can't read the overrides {' '.join(overrides)}: {_reason(error)}") from None
    for combination in itertools.product(*variants):
        chosen = dict(combination)
        task = chosen.pop("task", "")
        if task[:1] in ("'", '"'):
            task = task[1:-1]
        if not task:
            raise InputError(f"no task given: add task=NAME; available: {', '.join(tasks()) or 'none'}")
        yield task, [f"{key}={value}" for key, value in chosen.items()]


def _variants(override: Any) -> Iterator[tuple[str, str]]:
    """The (key, value) pairs that one Hydra override stands for, as text."""
    key = override.get_key_element()
    if override.is_delete() or override.is_add() or override.is_force_add():
        raise InputError(f"{override.input_line}: write field=value, without + or ~")
    if key.split(".")[0] not in RunConfig.model_fields:
        raise InputError(f"{override.input_line}: {_unknown_field(key, RunConfig)}")
    if not override.is_sweep_override():
        value = override.get_value_element_as_str()
        yield _spelled_out(key, value), value
        return
    if not override.is_discrete_sweep():
        raise InputError(f"{override.input_line}: sweep over values, as in seed=0,1,2 or seed=range(3)")
    for value in override.sweep_string_iterator():
        yield _spelled_out(key, value), value


def _spelled_out(key: str, value: str) -> str:
    """The field that `teacher=hf` means; `teacher={name: hf}` stays as it is."""
    return f"{key}.name" if key in ("teacher", "student") and not value.startswith("{") else key


def _composed(task: str, overrides: list[str]) -> dict:
    """What Hydra makes of a task's file, the defaults and the overrides: plain values, not yet validated."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.core.config_store import ConfigStore
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    path = _task_file(task)
    ConfigStore.instance().store(name="run", node=_defaults(RunConfig), provider="simdistill")
    places = [
        _quoted(f"file://{folder}") for folder in _folders() if folder.is_dir() and folder != path.parent
    ]
    try:
        with initialize_config_dir(config_dir=str(path.parent), version_base="1.3"):
            composed = hydra_compose(
                path.stem,
                # "++" lets unknown keys through to pydantic, which says what was probably meant.
                [f"hydra.searchpath=[{','.join(places)}]"] + [f"++{override}" for override in overrides],
            )
            return OmegaConf.to_container(composed, resolve=True)  # type: ignore[return-value]
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        raise InputError(f"{path}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """What Hydra says, on one line and without its pointers to its manual."""
    return "; ".join(line.strip() for line in str(error).splitlines() if line.strip() and "://" not in line)


def _quoted(text: str) -> str:
    """A string in the grammar of Hydra's overrides."""
    escaped = text.replace("'", r"\'")
    return f"'{escaped}'"


def _defaults(model: type[BaseModel]) -> dict:
    """A model's defaults as plain values; fields that must be given are left out."""
    values = {}
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            values[name] = _defaults(field.annotation)
        elif not field.is_required():
            values[name] = field.get_default(call_default_factory=True)
    return values


def _validated(values: dict, source: str) -> RunConfig:
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        raise InputError(f"{source}:{_explained(error, RunConfig)}") from None


def _explained(error: ValidationError, model: type[BaseModel], prefix: tuple[str, ...] = ()) -> str:
    """A validation error in words: one line per error, with the field, its value and its bound."""
    lines = [_explain(item, model, prefix) for item in error.errors()]
    return f" {lines[0]}" if len(lines) == 1 else "".join(f"\n  {line}" for line in lines)


def _explain(item: Any, model: type[BaseModel], prefix: tuple[str, ...]) -> str:
    field = _dotted((*prefix, *item["loc"]))
    if item["type"] == "extra_forbidden":
        return _unknown_field(field, _model_at(model, item["loc"][:-1]))
    if item["type"] == "missing":
        return f"{field}: must be given"
    if item["type"] in ("model_type", "model_attributes_type"):
        fields = _model_at(model, item["loc"])
        names = ", ".join(f"{field}.{name}" for name in fields.model_fields) if fields else "a mapping"
        return f"{field}: {item['input']!r} isn't a group of fields; set one of {names}"
    message = item["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{field}: {item['input']!r} {message}" if item["type"] != "value_error" else f"{field}: {message}"


def _unknown_field(field: str, model: type[BaseModel] | None) -> str:
    """The message for a field that doesn't exist; `model` is the group that should hold it."""
    *group, name = field.split(".")
    available = list(model.model_fields) if model else []
    close = difflib.get_close_matches(name, available, n=1, cutoff=0.5) or _leaves_called(name)
    meant = (
        f"; did you mean '{'.'.join([*group, close[0]]) if close[0] in available else close[0]}'?"
        if close
        else ""
    )
    return f"no field '{field}'; available: {', '.join(available) or 'none'}{meant}"


def _leaves_called(name: str, model: type[BaseModel] = RunConfig, prefix: str = "") -> list[str]:
    """Dotted names of the fields called `name` anywhere in a run's configuration."""
    found = []
    for field, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            found += _leaves_called(name, info.annotation, f"{prefix}{field}.")
        elif field == name:
            found.append(prefix + field)
    return found


def _model_at(model: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The model that describes the fields at a location of an error."""
    current: type[BaseModel] | None = model
    for part in location:
        if part in (_ONE, _EACH):
            current = Range
        elif current is not None and part in current.model_fields:
            annotation = current.model_fields[str(part)].annotation
            current = (
                annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
            )
    return current


def _dotted(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location if part not in (_ONE, _EACH))
