"""Parameters of a process model."""

import pydantic


class Parameters(pydantic.BaseModel):
    """Parameters of a process model; a subclass says their units and bounds in field descriptions."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
