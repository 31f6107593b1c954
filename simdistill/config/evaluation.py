"""The fields of the examination."""

from pydantic import Field

from simdistill.config.section import Count, Section


class EvaluationConfig(Section):
    """How every policy is examined, all on the same parameters and random numbers."""

    seed: int = Field(
        default=0, ge=0, description="root of the examination's seeds; the training seed doesn't affect them"
    )
    parameter_sets: Count = Field(
        default=8, description="number of parameter sets that are drawn in distribution; as many out of it"
    )
    replications: int = Field(
        default=20, ge=2, description="number of simulated replications of each policy and parameter set"
    )
    metrics: list[str] | None = Field(
        default=None, description="names of the measures that are computed; null: all that are installed"
    )
    tabulated_mass: float = Field(
        default=0.9999,
        gt=0,
        lt=1,
        description="share of the stationary probability whose states the student itself is queried in",
    )
    forecasts: int = Field(
        default=60, ge=0, description="number of states, in distribution, in which forecasts are examined"
    )
    forecast_futures: int = Field(
        default=128, ge=16, description="number of simulated futures by which a forecast is scored"
    )
    questions_shown: int = Field(
        default=10, ge=0, description="number of questions that the report shows with the student's answers"
    )
