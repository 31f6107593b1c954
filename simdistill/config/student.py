"""The fields of the student, the language model that learns the process."""

from typing import Literal

from pydantic import Field

from simdistill.config.section import Model, Section


class LoraConfig(Section):
    """The low-rank adapter that is trained."""

    r: int = Field(default=16, ge=1, le=1024, description="rank of the update")
    alpha: float = Field(default=32.0, gt=0, description="the update is multiplied by alpha / r")
    targets: str | list[str] = Field(
        default="all-linear", description="names of the adapted modules, or all-linear"
    )
    layers: int | None = Field(
        default=None,
        ge=1,
        description="number of adapted layers, counted from the last; all of them if there are fewer, "
        "or if null",
    )


class StudentConfig(Section):
    """The student: the language model that learns the process."""

    name: Model = Field(
        default="smollm2-135m", description="a registered student, a model's folder, or owner/name on the hub"
    )
    layers: int | None = Field(
        default=None,
        ge=2,
        description="number of decoder layers that are kept, evenly spaced from the first to the last; "
        "null: all",
    )
    lora: LoraConfig = Field(default_factory=LoraConfig)
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="number format of training; auto: the faster one. Decisions always use float32",
    )
