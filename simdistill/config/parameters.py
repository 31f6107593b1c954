"""The fields of a process's parameters: the default ones, and the ranges from which others are drawn."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from simdistill.config.section import Section
from simdistill.errors import InputError


class Range(Section):
    """A range from which a number is drawn; it is rounded, so that a prompt can state it exactly."""

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
            raise ValueError(f"low {self.low:g} is below 0, which log spacing doesn't allow")
        return self


class Bounds(Section):
    """Bounds of a number, both included."""

    low: float | None = Field(default=None, description="lowest value allowed")
    high: float | None = Field(default=None, description="highest value allowed")


# With the tags, error messages concern only the form that was written; `_dotted` removes the tags.
ONE, EACH = "(one)", "(each)"
RangeOrRanges = Annotated[
    Annotated[Range, Tag(ONE)] | Annotated[list[Range], Tag(EACH)],
    Discriminator(lambda value: EACH if isinstance(value, list) else ONE),
]


class Ranges(Section):
    """A distribution of parameters: independent draws, which are repeated until the requirements hold."""

    values: dict[str, RangeOrRanges] = Field(
        default_factory=dict, description="parameter -> its range, or one range per component"
    )
    require: dict[str, Bounds] = Field(
        default_factory=dict,
        description="numeric property of the simulator's Params -> bounds, as load: {high: 0.9}",
    )


class Withheld(Ranges):
    """A placeholder for ranges that training must not see; reading its fields is an error."""

    def __getattribute__(self, name: str) -> Any:
        if name in ("values", "require"):
            raise InputError(
                "task.parameters.out_of_distribution is withheld from training: "
                "these ranges are for the examination only"
            )
        return super().__getattribute__(name)


class ParametersConfig(Section):
    """The parameters of the process in the headline figures, in training and in the examination."""

    default: dict[str, Any] = Field(default_factory=dict, description="parameters of the headline figures")
    train: Ranges = Field(
        default_factory=Ranges,
        description="ranges from which parameters are drawn anew for each training scenario",
    )
    out_of_distribution: Ranges = Field(
        default_factory=Ranges, description="ranges that training never showed; for the examination only"
    )
    starts: dict[str, RangeOrRanges] = Field(
        default_factory=dict,
        description="ranges of further parameters, which make teaching episodes start from varied states",
    )
