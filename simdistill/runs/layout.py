"""The paths of a run's files.

Files for users are at the top of the folder, and their names won't change: config.yaml, environment.json,
questions.parquet, adapter/, metrics.json, metrics.jsonl, rollouts.jsonl, examination.json, report.html. Files
that one stage writes for another are in `training/`, whose layout has a number. A folder of an older layout
keeps its layout when further files are written.

In layout 1 the files of the only task are directly in training/; in layout 2 they are in training/TASK/.
"""

from dataclasses import dataclass
from pathlib import Path

from simdistill.errors import InputError
from simdistill.files import read_json, write_json

LAYOUT = 2
"""Number of the layout of new folders."""
READ = (1, 2)


@dataclass(frozen=True)
class Layout:
    """Paths in the folder of a run.

    Attributes:
        folder: Folder of the run.
        number: Number of the layout.
    """

    folder: Path
    number: int = LAYOUT

    @classmethod
    def of(cls, folder: Path) -> "Layout":
        """Returns the layout of a folder.

        Raises:
            InputError: If the layout is unknown, as that of a later version.
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
        """Writes the layout's number to its file in a new folder."""
        write_json(self.training / "layout.json", {"layout": self.number})

    @property
    def config(self) -> Path:
        """File of the resolved configuration."""
        return self.folder / "config.yaml"

    @property
    def begun(self) -> Path:
        """File of a copy of the configuration, which shows whether config.yaml was edited by hand."""
        return self.training / "config.yaml"

    @property
    def environment(self) -> Path:
        """File of versions, commit, machine and executor."""
        return self.folder / "environment.json"

    @property
    def questions(self) -> Path:
        """File of all questions that the student was trained on."""
        return self.folder / "questions.parquet"

    @property
    def adapter(self) -> Path:
        """Folder of the trained adapter."""
        return self.folder / "adapter"

    @property
    def metrics(self) -> Path:
        """File of the results."""
        return self.folder / "metrics.json"

    @property
    def training(self) -> Path:
        """Folder of the files that one stage writes for another."""
        return self.folder / "training"

    @property
    def taught(self) -> Path:
        """File of the questions on the teacher's states."""
        return self.training / "questions-0.parquet"

    @property
    def validation(self) -> Path:
        """File of the questions held out for the learning curve."""
        return self.folder / "tune.parquet" if self.number == 1 else self.training / "validation.parquet"

    @property
    def trained(self) -> Path:
        """File of the numbers of questions and tokens that training used, written at the end of training."""
        return self.folder / "distilled.json" if self.number == 1 else self.training / "trained.json"

    @property
    def made_by(self) -> Path:
        """File of the checksums of the language model that the student learns from."""
        return self.training / ("language_model.json" if self.number == 1 else "made_by.json")

    @property
    def spent(self) -> Path:
        """File of each stage's seconds and of the peak memory."""
        return self.training / "spent.json"

    def of_task(self, task: str) -> Path:
        """Returns the folder of the files that belong to one task, such as its lesson."""
        return self.training if self.number == 1 else self.training / task

    def lesson(self, task: str) -> Path:
        """Returns the file of a task's lesson, which is written after the task's questions."""
        return self.of_task(task) / "teacher.json"
