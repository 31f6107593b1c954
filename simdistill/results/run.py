"""`metrics.json` as types. Every reader and the writer go through `Results`; the layout has a number."""

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
"""Of the file that is written."""
READ = (2, 3)
"""Layouts that can be read."""


def read_document(path: Path) -> Any:
    """Reads a file of JSON.

    Raises:
        InputError: If the file can't be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"it can't be read: {error}; restore it, or make the run again") from None


class Tokens(Part):
    """Tokens that the student processed."""

    trained: NonNegativeInt
    examined: NonNegativeInt


class RewardUpdates(Part):
    """Updates by reinforcement, and those in which rewards differed within a group of samples."""

    all: NonNegativeInt
    with_gradient: NonNegativeInt


class Parameters(Part):
    """Numbers of trained parameters, and of all."""

    trained: NonNegativeInt
    all: NonNegativeInt


class Results(Part):
    """What a run found on its tasks, what it spent, and what it was made of.

    Attributes:
        layout: Of the file.
        method: The training method.
        seed: The root seed.
        tasks: One entry for each task.
        perplexity: Of plain English, by the `untuned` and the trained `student`.
        decisions_per_second: While the student was examined.
        questions: Training questions.
        tokens: What the student processed.
        learning: The learning curve.
        updates: Optimizer steps of each stage.
        updates_by_reward: Of those, the ones by reward; None for methods without.
        parameters: Of the student.
        seconds: Wall time by stage.
        peak_memory_mb: Most memory held, MB.
        versions: Of Python and packages.
        commit: Of the source tree, a plus sign behind it if there were changes; None outside one.
        config_sha256: Of the configuration.
        sha256: Of files that the results rest on.
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
        """Returns a document as results, whichever of the known layouts it has.

        Raises:
            InputError: For another layout, or with the first fields that aren't as they should be.
        """
        layout = document.get("layout") if isinstance(document, dict) else None
        if layout not in READ:
            known = " and ".join(map(str, READ))
            raise InputError(
                f"its layout is {layout}, this version of simdistill reads {known}; make the run again"
            )
        try:
            return cls.model_validate(migrated(document) if layout == 2 else document)
        except ValidationError as error:
            found = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
            more = " …" if len(found) > 3 else ""
            raise InputError(f"its metrics: {'; '.join(found[:3])}{more}") from None

    @classmethod
    def read(cls, path: Path) -> "Results":
        """Reads a run's `metrics.json`.

        Raises:
            InputError: If the file can't be read, has an unknown layout or lacks something.
        """
        try:
            return cls.of(read_document(path))
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    def write(self, path: Path) -> None:
        """Writes `metrics.json` in one step."""
        write_json(path, self.model_dump(mode="json"))

    def task(self, name: str) -> TaskResults:
        """Returns the results of one task.

        Raises:
            KeyError: If the run had no such task.
        """
        found = {task.task: task for task in self.tasks}
        return found[name]
