"""The fields that all executors share; an executor adds its own beside its code."""

from pydantic import Field

from simdistill.config.section import Name, Section


class ExecutorConfig(Section):
    """Where simulations run."""

    name: Name = Field(default="processes", description="a registered executor")
