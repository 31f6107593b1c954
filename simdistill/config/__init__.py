"""The configuration of a run: every setting with its unit, bounds and default."""

from simdistill.config.compose import compose, describe_task, load_config, read_yaml, save, tasks
from simdistill.config.settings import RunConfig

__all__ = ["RunConfig", "compose", "describe_task", "load_config", "read_yaml", "save", "tasks"]
