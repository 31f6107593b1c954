"""Cells of a benchmark: training runs, each in its own folder, so that a stopped benchmark can be resumed."""

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
"""Files and folders that the first stage of training writes; the one written last comes last."""


def train(config: RunConfig, lesson: RunConfig, begun: RunConfig | None = None) -> str | None:
    """Teaches and distils a cell; finished steps and failed cells aren't repeated.

    Args:
        config: Settings of the cell; `output` is its folder.
        lesson: Settings of the run whose teacher and questions the cell uses: the same task, teacher and
            seed, in another folder.
        begun: Settings of a finished cell with the same first stage, whose results are copied; None to train
            it.

    Returns:
        The reason why the cell can't be trained, as stored in its `failed.json`; None if it was trained.

    Raises:
        InputError: If a folder was made with other settings or is in use, or there is no teacher.
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
    """Returns the paths, relative to a run's folder, that teaching writes; the last one is written last."""
    found = [layout.validation, layout.taught, *(layout.lesson(task.name) for task in config.tasks)]
    return [str(path.relative_to(layout.folder)) for path in found]


def _take(names: Sequence[str], source: Path, folder: Path) -> None:
    """Copies files and folders from one folder to another, unless the last one exists there already.

    The last one is copied last, so if it exists, all do.
    """
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
