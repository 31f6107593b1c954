"""The fields of a run."""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from simdistill.config.evaluation import EvaluationConfig
from simdistill.config.executor import ExecutorConfig
from simdistill.config.parameters import Withheld
from simdistill.config.plug_ins import named, validating
from simdistill.config.section import Folder, Section
from simdistill.config.student import StudentConfig
from simdistill.config.task import TaskConfig
from simdistill.config.teacher import TeacherConfig
from simdistill.config.training import DistillConfig, MethodConfig


class RunConfig(Section):
    """The configuration of a run, which determines its results."""

    tasks: list[TaskConfig] = Field(
        min_length=1, max_length=1, description="the task that is learned; a single one is written `task`"
    )
    teacher: Annotated[SerializeAsAny[TeacherConfig], BeforeValidator(validating("teacher"))] = Field(
        default={}, validate_default=True
    )
    student: Annotated[StudentConfig, BeforeValidator(named)] = Field(default_factory=StudentConfig)
    method: Annotated[SerializeAsAny[MethodConfig], BeforeValidator(validating("method"))] = Field(
        default={}, validate_default=True
    )
    distill: DistillConfig = Field(default_factory=DistillConfig)
    evaluation: EvaluationConfig = Field(default_factory=EvaluationConfig)
    compute: Annotated[SerializeAsAny[ExecutorConfig], BeforeValidator(validating("compute"))] = Field(
        default={}, validate_default=True
    )
    seed: int = Field(default=0, ge=0, description="root of all training seeds")
    check: bool = Field(
        default=True,
        description="whether the process model is checked before anything is taught or played; the run stops "
        "if what-if values would be wrong",
    )
    output: Folder | None = Field(default=None, description="the run's folder; null: outputs/<task>/<run>")
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="where the language model runs; auto: a graphics card if there is one"
    )
    workers: int | None = Field(default=None, ge=1, description="simulation processes; null: one per core")
    threads: int | None = Field(
        default=None, ge=1, description="threads of the language model; null: one per core"
    )

    @model_validator(mode="before")
    @classmethod
    def _one_task(cls, values: Any) -> Any:
        if isinstance(values, dict) and "task" in values and "tasks" not in values:
            return {"tasks": [values["task"]]} | {name: values[name] for name in values if name != "task"}
        return values

    @model_serializer(mode="wrap")
    def _as_written(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values = plain(self)
        tasks = values.pop("tasks")
        return {"task": tasks[0], **values} if len(tasks) == 1 else {"tasks": tasks, **values}

    @property
    def task(self) -> TaskConfig:
        """The only task."""
        return self.tasks[0]


PLACE = ("seed", "check", "output", "compute", "workers", "threads")
"""Fields in which runs of the same configuration may differ.

They are the seed, where the run takes place, and whether the process model is checked before.
"""


def fingerprint(values: Mapping[str, Any]) -> str:
    """Returns the SHA-256 checksum of a run's resolved configuration, without the fields in `PLACE`.

    Args:
        values: The configuration as plain values.
    """
    kept = {name: value for name, value in values.items() if name not in PLACE}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def for_training(config: RunConfig) -> RunConfig:
    """Returns a run's configuration for teaching and training: out-of-distribution ranges are withheld."""
    task = config.task
    parameters = task.parameters.model_copy(update={"out_of_distribution": Withheld()})
    return config.model_copy(update={"tasks": [task.model_copy(update={"parameters": parameters})]})
