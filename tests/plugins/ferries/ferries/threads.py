"""An executor: threads of this process."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from pydantic import Field

from simdistill.config import ExecutorConfig
from simdistill.executors import Map


class Threads:
    """Threads of this process."""

    class Config(ExecutorConfig):
        """The executor's own field."""

        prefix: str = Field(default="ferry", description="what threads are called")

    def __init__(self, config: Config, workers: int):
        self.config, self.workers = config, workers

    @contextmanager
    def open(self) -> Iterator[Map]:
        """Opens a pool of threads."""
        with ThreadPoolExecutor(self.workers, thread_name_prefix=self.config.prefix) as pool:
            yield pool.map
