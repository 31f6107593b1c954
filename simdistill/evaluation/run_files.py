"""What an examination reads and writes in the folder of a run; `simdistill.runs.layout` says where it is."""

from pathlib import Path
from typing import Protocol


class RunFiles(Protocol):
    """Paths of a run."""

    @property
    def folder(self) -> Path:
        """The run's folder."""
        ...

    @property
    def adapter(self) -> Path:
        """The trained adapter."""
        ...

    @property
    def metrics(self) -> Path:
        """The results."""
        ...

    @property
    def training(self) -> Path:
        """The folder of what training left about all tasks."""
        ...

    @property
    def validation(self) -> Path:
        """The validation questions."""
        ...

    @property
    def trained(self) -> Path:
        """Questions and tokens of the training."""
        ...

    def of_task(self, task: str) -> Path:
        """The folder of what training left about one task."""
        ...
