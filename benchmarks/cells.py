"""Cells of a benchmark: trainings, each in a folder of its own, so that a stopped benchmark goes on."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from simdistill.config import RunConfig
from simdistill.errors import InputError
from simdistill.executors import Map, simulating
from simdistill.files import read_json, write_json
from simdistill.progress import silent
from simdistill.runs import pipeline
from simdistill.runs.layout import Layout
from simdistill.runs.record import Record

FIRST_STAGE = ("metrics.jsonl", "training/clock.jsonl", "training/adapter-0", "training/round-0.json")
"""What the first stage of training leaves, the last file last."""


def train(config: RunConfig, lesson: RunConfig, begun: RunConfig | None = None) -> str | None:
    """Teaches, if that hasn't been done, and distils; what is finished, or has failed, isn't done again.

    Args:
        config: The cell; `output` is its folder.
        lesson: Whose teacher and questions it learns from: the same task, teacher and seed in another folder.
        begun: A finished cell whose first stage is the same; it isn't trained again.

    Returns:
        Why it can't be trained, as kept in its `failed.json`, or None.

    Raises:
        InputError: A folder was made with other settings or is in use, or there is no teacher.
    """
    with _opened(lesson) as (record, compute):
        pipeline.teach(record, compute, silent)
    with _opened(config) as (record, compute):
        failed = record.folder / "failed.json"
        if failed.exists():
            return read_json(failed)
        _take(_taught(record.layout, config), _folder(lesson), record.folder)
        if begun:
            _take(FIRST_STAGE, _folder(begun), record.folder)
        try:
            pipeline.train(record, compute, silent)
        except InputError as error:
            write_json(failed, str(error))
            return str(error)
    return None


def _taught(layout: Layout, config: RunConfig) -> list[str]:
    """Returns what teaching leaves, the last file last, relative to a run's folder."""
    found = [layout.validation, layout.taught, *(layout.lesson(task.name) for task in config.tasks)]
    return [str(path.relative_to(layout.folder)) for path in found]


def _take(names: Sequence[str], source: Path, folder: Path) -> None:
    """Copies files and folders that aren't there, unless the last, and so all, are."""
    if (folder / names[-1]).exists():
        return
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        if (source / name).is_dir():
            shutil.copytree(source / name, folder / name, dirs_exist_ok=True)
        else:
            shutil.copy(source / name, folder / name)


@contextmanager
def _opened(config: RunConfig) -> Iterator[tuple[Record, Map]]:
    folder = _folder(config)
    record = Record.of(folder) if (folder / "config.yaml").exists() else Record.new(config)
    if record.config != config:
        raise InputError(f"{folder} was made with other settings; remove it, or choose another --folder")
    with record.locked(), simulating(config.workers, config.compute) as compute:
        yield record, compute


def _folder(config: RunConfig) -> Path:
    assert config.output is not None
    return config.output
