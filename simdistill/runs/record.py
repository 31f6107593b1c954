"""A run's folder: its configuration, its lock, and the times of its stages."""

import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path

from simdistill import config as configuration
from simdistill.config import RunConfig, fingerprint
from simdistill.data.question import Question
from simdistill.data.store import load
from simdistill.errors import InputError
from simdistill.files import read_json, sha256, write_json, writing
from simdistill.runs.environment import peak_memory_mb
from simdistill.runs.layout import Layout
from simdistill.runs.lock import locked

WEIGHTS = "adapter/adapter_model.safetensors"


class Record:
    """The folder of a run.

    Args:
        folder: Folder of all the run's files.
    """

    def __init__(self, folder: Path):
        self.folder, self.layout = folder, Layout.of(folder)
        self._within = [0.0]  # seconds used by inner stages, one entry for each stage in progress

    @classmethod
    def new(cls, config: RunConfig) -> "Record":
        """Starts a run's folder and writes its resolved configuration.

        Raises:
            InputError: If the folder already holds a run.
        """
        record = cls(config.output or _new_folder(Path("outputs") / config.task.name, config.seed))
        folder = record.folder
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        with record.locked():
            if record.layout.config.exists():
                resume = shlex.quote(f"resume={folder}")
                raise InputError(f"{folder} already holds a run; go on with it: simdistill run {resume}")
            record.layout = Layout(folder)
            record.layout.write()
            configuration.save(config, record.layout.begun)
            configuration.save(config, record.layout.config)
        return record

    @classmethod
    def of(cls, folder: Path) -> "Record":
        """Opens the folder of a run that was started before.

        Raises:
            InputError: If the folder doesn't contain a run.
        """
        if not (folder / "config.yaml").is_file():
            raise InputError(f"{folder} holds no run: it has no config.yaml")
        return cls(folder)

    @property
    def config(self) -> RunConfig:
        """The run's configuration."""
        return configuration.load_config(self.layout.config)

    def questions(self) -> list[Question]:
        """Reads the questions of all rounds of training."""
        rounds = sorted(self.layout.training.glob("questions-*.parquet"))
        return [question for path in rounds for question in load(path)]

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Locks the folder against other processes while the block runs.

        Raises:
            InputError: If another run is using it.
        """
        with locked(self.folder):
            yield

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Adds the block's wall time, without inner stages, to the stage's time; updates the peak memory."""
        begin = time.perf_counter()
        self._within.append(0.0)
        try:
            yield
        finally:
            whole = time.perf_counter() - begin
            own = whole - self._within.pop()
            self._within[-1] += whole
            spent = self.spent()
            spent["seconds"][stage] = spent["seconds"].get(stage, 0.0) + own
            spent["peak_memory_mb"] = max(spent["peak_memory_mb"], peak_memory_mb())
            write_json(self.layout.spent, spent)

    def spent(self) -> dict:
        """Returns seconds by stage and peak memory so far."""
        path = self.layout.spent
        return read_json(path) if path.exists() else {"seconds": {}, "peak_memory_mb": 0.0}

    def provenance(self) -> dict:
        """Returns the provenance of results: versions, commit, and checksums of configuration and files."""
        environment = read_json(self.layout.environment)
        return {
            "versions": environment["versions"],
            "commit": environment["commit"],
            "config_sha256": fingerprint(configuration.read_yaml(self.layout.config)),
            "sha256": {name: sha256(self.folder / name) for name in ("questions.parquet", WEIGHTS)},
        }


def _new_folder(parent: Path, seed: int) -> Path:
    """Makes a folder named after time and seed, with a further number if that folder exists."""
    stem = f"{datetime.now():%Y%m%d-%H%M%S}-seed{seed}"
    parent.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        folder = parent / (stem if number == 1 else f"{stem}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise AssertionError
