"""Protocols: the tasks, methods, seeds and budgets of a leaderboard, which are fixed before it is run."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from simdistill import mdp, registry
from simdistill.config import RunConfig, compose, read_yaml
from simdistill.errors import InputError

FILE = "protocol.yaml"
CHOSEN = ("task", "method", "seed", "output")


class Cell(NamedTuple):
    """A cell of the board: one run of a method on a task."""

    task: str
    method: str
    seed: int

    def __str__(self) -> str:
        return f"{self.task}-{self.method}-{self.seed}"


class MethodPlan(BaseModel):
    """A method's part in a protocol: its seeds and its fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    method: str | None = Field(
        default=None, description="the registered method, if this is a variant of it with a name of its own"
    )
    seeds: PositiveInt = Field(description="training seeds 0, 1, …, as many as this")
    overrides: list[str] = Field(
        default_factory=list, description="fields of a run, as on the command line; how it spends the budget"
    )


class Protocol(BaseModel):
    """Everything that is fixed before a board is run. When the contents change, so must the version."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    version: str = Field(pattern=r"^[a-z0-9-]+$", description="name of this protocol")
    description: str = Field(description="one line")
    questions: PositiveInt = Field(description="decisions asked about in training, the same for every method")
    states: PositiveInt = Field(
        description="states searched by the simulator for teacher and student together, the same for each"
    )
    overrides: list[str] = Field(default_factory=list, description="fields of every run")
    tasks: dict[str, list[str]] = Field(min_length=1, description="task -> fields of its runs")
    methods: dict[str, MethodPlan] = Field(min_length=1, description="method or variant -> its part")

    @model_validator(mode="after")
    def _leaves_cells_alone(self) -> "Protocol":
        every = [*self.overrides, *(o for each in self.tasks.values() for o in each)]
        every += [o for plan in self.methods.values() for o in plan.overrides]
        for override in every:
            if override.partition("=")[0] in CHOSEN:
                raise ValueError(f"{override}: {', '.join(CHOSEN)} are chosen by the cells; leave this out")
        return self

    @property
    def cells(self) -> list[Cell]:
        """All cells, ordered by seed, so that a board stopped early has results of all tasks and methods."""
        seeds = range(max(plan.seeds for plan in self.methods.values()))
        return [
            Cell(task, method, seed)
            for seed in seeds
            for task in self.tasks
            for method, plan in self.methods.items()
            if seed < plan.seeds
        ]

    def overrides_of(self, cell: Cell) -> list[str]:
        """Returns the overrides of `simdistill run` for a cell; later ones replace earlier ones."""
        plan = self.methods[cell.method]
        chosen = [f"task={cell.task}", f"method={plan.method or cell.method}", f"seed={cell.seed}"]
        return [*chosen, *self.overrides, *self.tasks[cell.task], *plan.overrides]

    def config(self, cell: Cell) -> RunConfig:
        """Returns a cell's resolved configuration.

        Raises:
            InputError: If the protocol's fields don't describe a run.
        """
        return self._configs[cell.task, cell.method].model_copy(update={"seed": cell.seed})

    @cached_property
    def _configs(self) -> Mapping[tuple[str, str], RunConfig]:
        return {
            (task, method): compose(self.overrides_of(Cell(task, method, 0)), saved=True)[0]
            for task in self.tasks
            for method in self.methods
        }

    def check(self) -> None:
        """Checks that every method uses exactly the budget, and that all have the same reference.

        Raises:
            InputError: If this doesn't hold; the message has the method, the task and its numbers.
        """
        for (task, method), config in self._configs.items():
            asked, searched = spent(config)
            for noun, found, budget in (
                ("questions", asked, self.questions),
                ("states", searched, self.states),
            ):
                if found != budget:
                    raise InputError(
                        f"protocol {self.version}: {method} on {task} takes {found} {noun}, but the budget "
                        f"is {budget}; change the method's overrides"
                    )
            simulator = registry.load("simulators", config.task.simulator)
            named = config.task.reference or mdp.solvable(simulator, config.task.kind)
            if config.task.reference == "teacher" or not named:
                raise InputError(
                    f"protocol {self.version}: {task} is compared with each run's own teacher; set "
                    "task.reference to optimum or a policy"
                )


def spent(config: RunConfig) -> tuple[int, int]:
    """Returns the largest numbers of questions that a run trains on and of states searched for them."""
    stages = registry.load("methods", config.method.name)(config, Path()).stages
    teacher, distill = config.teacher, config.distill
    asked = sum(stage.size for stage in stages)
    if max(stage.taught.stop for stage in stages) > teacher.states:
        raise InputError(
            f"{config.method.name} on {config.task.name}: {teacher.states} searched states are too few for "
            "its questions; raise teacher.scenarios"
        )
    per_round = distill.round_states_per_episode * teacher.episodes_per_scenario
    own = sum(-(-stage.on_policy // per_round) * per_round for stage in stages)
    return asked, getattr(teacher, "generations", 1) * teacher.states + own


def load_protocol(path: Path) -> Protocol:
    """Reads a protocol.

    Raises:
        InputError: If the file is missing or doesn't describe a protocol.
    """
    try:
        return Protocol.model_validate(read_yaml(path))
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise InputError(f"{path}: {'; '.join(lines)}") from None
