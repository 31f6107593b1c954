"""The fields that all executors share; further fields are declared in an executor's own module."""

from pydantic import Field

from simdistill.config.section import Name, Section


class ExecutorConfig(Section):
    """The executor, which decides where simulations run."""

    name: Name = Field(default="processes", description="a registered executor")
