"""Where the files of a run are.

What users are promised stands at the top of the folder and keeps its name: config.yaml, environment.json,
questions.parquet, adapter/, metrics.json, metrics.jsonl, rollouts.jsonl, examination.json, report.html. What
stages need of each other is in `training/`, whose layout has a number. Folders of older layouts are read, and
written on, as they are.

Layout 1: what belongs to the only task is among everything else. 2: it is in training/TASK/.
"""

from dataclasses import dataclass
from pathlib import Path

from simdistill.errors import InputError
from simdistill.files import read_json, write_json

LAYOUT = 2
"""Of the folders that are made now."""
READ = (1, 2)


@dataclass(frozen=True)
class Layout:
    """Paths in the folder of a run.

    Attributes:
        folder: Of the run.
        number: Of the layout.
    """

    folder: Path
    number: int = LAYOUT

    @classmethod
    def of(cls, folder: Path) -> "Layout":
        """Returns the layout of a folder.

        Raises:
            InputError: If a later version made it.
        """
        path = folder / "training" / "layout.json"
        number = read_json(path)["layout"] if path.exists() else 1
        if number not in READ:
            known = " and ".join(map(str, READ))
            raise InputError(
                f"{folder} has layout {number}; this version of simdistill knows {known}. Go on with the "
                "version that made it (environment.json says which), or begin a new run."
            )
        return cls(folder, number)

    def write(self) -> None:
        """Writes down the number in a new folder."""
        write_json(self.training / "layout.json", {"layout": self.number})

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.folder / "config.yaml"

    @property
    def environment(self) -> Path:
        """Versions, commit, machine and executor."""
        return self.folder / "environment.json"

    @property
    def questions(self) -> Path:
        """All questions that the student was trained on."""
        return self.folder / "questions.parquet"

    @property
    def adapter(self) -> Path:
        """The trained adapter."""
        return self.folder / "adapter"

    @property
    def metrics(self) -> Path:
        """The results."""
        return self.folder / "metrics.json"

    @property
    def training(self) -> Path:
        """What stages need of each other."""
        return self.folder / "training"

    @property
    def taught(self) -> Path:
        """Questions on the teacher's states."""
        return self.training / "questions-0.parquet"

    @property
    def validation(self) -> Path:
        """Questions held out for the learning curve."""
        return self.folder / "tune.parquet" if self.number == 1 else self.training / "validation.parquet"

    @property
    def trained(self) -> Path:
        """What training took; it is there once training is finished."""
        return self.folder / "distilled.json" if self.number == 1 else self.training / "trained.json"

    @property
    def made_by(self) -> Path:
        """Checksums of the model that is learned from."""
        return self.training / ("language_model.json" if self.number == 1 else "made_by.json")

    @property
    def spent(self) -> Path:
        """Seconds of each stage, and memory."""
        return self.training / "spent.json"

    def of_task(self, task: str) -> Path:
        """Returns the folder of what belongs to one task, its lesson for example."""
        return self.training if self.number == 1 else self.training / task

    def lesson(self, task: str) -> Path:
        """Returns the file of a lesson; it is there once a task's questions are."""
        return self.of_task(task) / "teacher.json"
