"""The types of `metrics.json`. It is only read and written through `Results`, and its layout has a number."""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, FiniteFloat, NonNegativeInt, ValidationError

from simdistill.errors import InputError
from simdistill.files import write_json
from simdistill.results.learning import Learning
from simdistill.results.migration import migrated
from simdistill.results.parts import Checksum, Part
from simdistill.results.task import TaskResults

LAYOUT = 3
"""Number of the layout that is written."""
READ = (2, 3)
"""Numbers of the layouts that can be read."""


def read_document(path: Path) -> Any:
    """Reads a JSON file.

    Raises:
        InputError: If the file can't be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"it can't be read: {error}; restore it, or make the run again") from None


class Tokens(Part):
    """Numbers of tokens that the student processed in training and in the examination."""

    trained: NonNegativeInt
    examined: NonNegativeInt


class RewardUpdates(Part):
    """Numbers of updates by reward: all, and those in which rewards differed within a group of samples."""

    all: NonNegativeInt
    with_gradient: NonNegativeInt


class Parameters(Part):
    """Numbers of the student's trained parameters and of all its parameters."""

    trained: NonNegativeInt
    all: NonNegativeInt


class Results(Part):
    """The results of a run: its tasks' results, the resources it used, and its provenance.

    Attributes:
        layout: Number of the file's layout.
        method: Name of the training method.
        seed: The root seed of training.
        tasks: The results of each task.
        perplexity: Perplexity of plain English text under the `untuned` and the trained `student`.
        decisions_per_second: The student's speed in the examination.
        questions: Number of training questions.
        tokens: Numbers of tokens that the student processed.
        learning: The learning curve.
        updates: Number of optimizer steps in each stage of training.
        updates_by_reward: Numbers of updates by reward; None for methods without such updates.
        parameters: Numbers of the student's parameters.
        seconds: Stage -> wall time in seconds.
        peak_memory_mb: Peak memory in MB.
        versions: Versions of Python and of packages.
        commit: Commit of the source tree, with a plus sign if files were changed; None without a repository.
        config_sha256: Checksum of the configuration.
        sha256: Name -> checksum of the files that the results depend on.
    """

    layout: Literal[3] = LAYOUT
    method: str
    seed: NonNegativeInt
    tasks: list[TaskResults] = Field(min_length=1)
    perplexity: dict[str, FiniteFloat]
    decisions_per_second: FiniteFloat
    questions: NonNegativeInt
    tokens: Tokens
    learning: Learning
    updates: list[NonNegativeInt] = Field(min_length=1)
    updates_by_reward: RewardUpdates | None = None
    parameters: Parameters
    seconds: dict[str, FiniteFloat]
    peak_memory_mb: FiniteFloat
    versions: dict[str, str]
    commit: str | None
    config_sha256: Checksum
    sha256: dict[str, Checksum] = Field(min_length=1)

    @classmethod
    def of(cls, document: Any) -> "Results":
        """Returns the results in a document of any known layout.

        Raises:
            InputError: If the layout is unknown, or fields are invalid; the message has the first of these.
        """
        layout = document.get("layout") if isinstance(document, dict) else None
        if layout not in READ:
            known = " and ".join(map(str, READ))
            raise InputError(
                f"its layout is {layout}, but this version of simdistill reads {known}; make the run again"
            )
        try:
            return cls.model_validate(migrated(document) if layout == 2 else document)
        except ValidationError as error:
            found = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
            more = " …" if len(found) > 3 else ""
            raise InputError(f"invalid metrics: {'; '.join(found[:3])}{more}") from None

    @classmethod
    def read(cls, path: Path) -> "Results":
        """Reads a run's `metrics.json`.

        Raises:
            InputError: If the file can't be read, has an unknown layout or has missing or invalid fields.
        """
        try:
            return cls.of(read_document(path))
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    def write(self, path: Path) -> None:
        """Writes `metrics.json` atomically."""
        write_json(path, self.model_dump(mode="json"))

    def task(self, name: str) -> TaskResults:
        """Returns the results of one task.

        Raises:
            KeyError: If the run doesn't have this task.
        """
        found = {task.task: task for task in self.tasks}
        return found[name]
