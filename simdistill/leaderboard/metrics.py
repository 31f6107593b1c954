"""What a board reads of a run's `metrics.json`, and what it must look like."""

from collections.abc import Mapping
from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    NonNegativeInt,
    ValidationError,
    model_validator,
)

from simdistill.errors import InputError

Share = Annotated[float, Field(ge=0, le=1)]
Checksum = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


T = TypeVar("T")


class _Estimate(_Part):
    mean: FiniteFloat


class _Open(_Part):
    mean: FiniteFloat | None


class _BySetting(_Part, Generic[T]):
    default: T
    in_distribution: T
    out_of_distribution: T


class _Policy(_Part):
    title: str
    cost: _BySetting[dict[str, Any] | None]
    over_reference: _BySetting[_Estimate | None]


class _Forecasts(_Part):
    skill: _Open | None


class _Tokens(_Part):
    trained: NonNegativeInt


class _Steps(_Part):
    teach: NonNegativeInt
    own_states: NonNegativeInt


class _Parameters(_Part):
    trained: NonNegativeInt
    all: NonNegativeInt


class _Point(_Part):
    questions: NonNegativeInt
    seconds: FiniteFloat
    tune_regret: FiniteFloat


class _Learning(_Part):
    points: list[_Point]
    heuristic: FiniteFloat


class _ByReward(_Part):
    all: NonNegativeInt
    with_gradient: NonNegativeInt


class _Metrics(_Part):
    task: str
    method: str
    seed: NonNegativeInt
    reference: str
    heuristic: str
    policies: dict[str, _Policy]
    over_reference: _BySetting[_Estimate | None]
    heuristic_gap_closed: _BySetting[_Open | None]
    over_teacher: _BySetting[_Open | None]
    regret_per_decision: _BySetting[_Open | None]
    valid_answers: Share
    forecasts: _Forecasts | None
    decisions_per_second: FiniteFloat
    questions: NonNegativeInt
    states_searched: NonNegativeInt
    tokens: _Tokens
    simulator_steps: _Steps
    parameters: _Parameters
    learning: _Learning
    updates: list[NonNegativeInt] = Field(min_length=1)
    updates_by_reward: _ByReward | None = None
    seconds: dict[str, FiniteFloat]
    versions: dict[str, str]
    commit: str | None
    config_sha256: Checksum
    sha256: dict[str, Checksum] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_its_policies(self) -> "_Metrics":
        lacking = {self.reference, self.heuristic, "student", "teacher"} - self.policies.keys()
        if lacking:
            raise ValueError(f"policies lack {', '.join(sorted(lacking))}")
        return self


def check_metrics(metrics: Mapping[str, Any]) -> None:
    """Checks that all that a board reads is there and of its kind: numbers finite, checksums whole.

    Raises:
        InputError: With the first fields that aren't.
    """
    try:
        _Metrics.model_validate(metrics)
    except ValidationError as error:
        found = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise InputError(f"its metrics: {'; '.join(found[:3])}{' …' if len(found) > 3 else ''}") from None
