"""The fields of the language model that learns the process."""

from typing import Literal

from pydantic import Field

from simdistill.config.section import Model, Section


class LoraConfig(Section):
    """The trained part of the student."""

    r: int = Field(default=16, ge=1, le=1024, description="rank")
    alpha: float = Field(default=32.0, gt=0, description="the update is multiplied by alpha / r")
    targets: str | list[str] = Field(default="all-linear", description="modules, or all-linear")
    layers: int | None = Field(
        default=None,
        ge=1,
        description="only the last so many layers, or all of a pruned student's if fewer; null: all",
    )


class StudentConfig(Section):
    """The language model that learns the process."""

    name: Model = Field(
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
