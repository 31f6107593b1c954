"""Parameters of a process model."""

import pydantic


class Parameters(pydantic.BaseModel):
    """Base class of a simulator's parameters; field types give bounds, descriptions give units."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
