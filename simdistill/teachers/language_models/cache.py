"""A cache on disk of language models' answers, as JSON."""

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from diskcache import Cache, JSONDisk, Timeout
from diskcache.core import MODE_PICKLE

from simdistill.errors import InputError


class _JSONOnly(JSONDisk):
    """A JSON disk that never unpickles: a pickle that somebody put into the folder could run any code."""

    def fetch(self, mode, filename, value, read):
        if mode == MODE_PICKLE:
            raise ValueError("it holds a pickle, which no answer is")
        return super().fetch(mode, filename, value, read)


class Answers:
    """Answers by a hash of everything that determined them; several runs may use a folder at once.

    Args:
        folder: Folder of the cache, made if it doesn't exist. A new folder gets the answers of the file with
            the same name and the suffix `.sqlite`, in which earlier versions kept them.

    Raises:
        InputError: The folder can't be used.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        with self._usable():
            new = not folder.exists()
            # Each answer is committed separately, so that a killed run keeps the answers it has paid for.
            self._cache = Cache(str(folder), disk=_JSONOnly, eviction_policy="none", timeout=60)
            if new and folder.with_suffix(".sqlite").is_file():
                self._take_over(folder.with_suffix(".sqlite"))

    def __getitem__(self, made_by: Any) -> Any:
        """Returns the answer for everything that determines it, both JSON values; None if there is none."""
        with self._usable():
            return self._cache.get(_key(made_by))

    def __setitem__(self, made_by: Any, answer: Any) -> None:
        """Stores an answer, a JSON value."""
        with self._usable():
            self._cache.set(_key(made_by), answer)

    def close(self) -> None:
        """Closes the folder's database."""
        self._cache.close()

    def _take_over(self, file: Path) -> None:
        former = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)
        try:
            with self._cache.transact():
                for key, answer in former.execute("SELECT key, value FROM answers"):
                    self._cache.set(key, json.loads(answer))
        finally:
            former.close()

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, sqlite3.Error, Timeout) as error:
            raise InputError(
                f"The cache of answers in {self.folder} can't be used: {error}. Make room, or delete the "
                "folder; its answers are then asked for again."
            ) from error


def _key(made_by: Any) -> str:
    return hashlib.sha256(json.dumps(made_by, sort_keys=True).encode()).hexdigest()
