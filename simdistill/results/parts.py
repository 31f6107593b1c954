"""Building blocks of the types of `metrics.json`: strict frozen models, estimates, shares, checksums."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat, InstanceOf, PlainSerializer

from simdistill.statistics import Estimate

SETTINGS = ("default", "in_distribution", "out_of_distribution")
"""Settings of an examination: default parameters, sets drawn as in training, sets outside these ranges."""


class _Interval(BaseModel):
    model_config = ConfigDict(strict=True)

    mean: FiniteFloat | None
    ci95: list[FiniteFloat] | None = None


def _read_estimate(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return Estimate.of(_Interval.model_validate(value).model_dump())


MaybeEstimate = Annotated[
    InstanceOf[Estimate] | None,
    BeforeValidator(_read_estimate),
    PlainSerializer(lambda found: found and found.as_dict()),
]
"""An estimate; None where the quantity is undefined."""
Share = Annotated[float, Field(ge=0, le=1)]
Checksum = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
BySetting = dict[str, MaybeEstimate]
"""An estimate for each of `SETTINGS`."""


class Part(BaseModel):
    """A part of the file; its values must have exactly the declared types, and unknown fields are ignored."""

    model_config = ConfigDict(strict=True, frozen=True)
