"""Files of a run that an examination reads or writes; `simdistill.runs.layout` defines their paths."""

from pathlib import Path
from typing import Protocol


class RunFiles(Protocol):
    """Paths of a run's files and folders."""

    @property
    def folder(self) -> Path:
        """The run's folder."""
        ...

    @property
    def adapter(self) -> Path:
        """Folder of the trained adapter."""
        ...

    @property
    def metrics(self) -> Path:
        """File of the results, `metrics.json`."""
        ...

    @property
    def training(self) -> Path:
        """Folder of intermediate files that concern all tasks."""
        ...

    @property
    def validation(self) -> Path:
        """File of the validation questions."""
        ...

    @property
    def trained(self) -> Path:
        """File of the numbers of questions and tokens that training used."""
        ...

    def of_task(self, task: str) -> Path:
        """Returns the folder of intermediate files that concern one task."""
        ...
