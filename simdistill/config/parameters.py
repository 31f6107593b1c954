"""Which parameters the process has: those of the headline figures, and those that are drawn."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from simdistill.config.section import Section
from simdistill.errors import InputError


class Range(Section):
    """A range from which a number is drawn and rounded, so that a prompt can give it exactly."""

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


class Bounds(Section):
    """What a number must lie between, both ends included."""

    low: float | None = Field(default=None, description="lowest value allowed")
    high: float | None = Field(default=None, description="highest value allowed")


# The tags keep error messages to the form that was written; `_dotted` leaves them out.
ONE, EACH = "(one)", "(each)"
RangeOrRanges = Annotated[
    Annotated[Range, Tag(ONE)] | Annotated[list[Range], Tag(EACH)],
    Discriminator(lambda value: EACH if isinstance(value, list) else ONE),
]


class Ranges(Section):
    """A distribution over parameters: independent draws, drawn again until the requirements hold."""

    values: dict[str, RangeOrRanges] = Field(
        default_factory=dict, description="parameter -> its range, or one range per component"
    )
    require: dict[str, Bounds] = Field(
        default_factory=dict,
        description="numeric property of the simulator's Params -> bounds, as load: {high: 0.9}",
    )


class Withheld(Ranges):
    """Stands in for ranges that training must not see; reading it is an error."""

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
        description="ranges of the parameters that are drawn anew for each training episode",
    )
    out_of_distribution: Ranges = Field(
        default_factory=Ranges, description="ranges that training never showed; for the examination only"
    )
    starts: dict[str, RangeOrRanges] = Field(
        default_factory=dict,
        description="ranges of further parameters, with which teaching episodes start from varied states",
    )
