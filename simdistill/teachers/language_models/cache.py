"""A cache of what language models answered, on disk, as JSON."""

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
    """Never unpickles: a pickle that somebody else put into the folder could run anything."""

    def fetch(self, mode, filename, value, read):
        if mode == MODE_PICKLE:
            raise ValueError("it holds a pickle, which no answer is")
        return super().fetch(mode, filename, value, read)


class Answers:
    """Answers by a hash of all that made them; several runs may use a folder at once.

    Args:
        folder: Made if it isn't there; then answers are taken over from a file of the same name that ends in
            `.sqlite`, in which earlier versions kept them.

    Raises:
        InputError: It can't be used.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        with self._usable():
            new = not folder.exists()
            # Each answer is committed by itself, so that a killed run keeps those that it has paid for.
            self._cache = Cache(str(folder), disk=_JSONOnly, eviction_policy="none", timeout=60)
            if new and folder.with_suffix(".sqlite").is_file():
                self._take_over(folder.with_suffix(".sqlite"))

    def __getitem__(self, made_by: Any) -> Any:
        """Returns the answer that was kept under all that made it, JSON values both; None if none was."""
        with self._usable():
            return self._cache.get(_key(made_by))

    def __setitem__(self, made_by: Any, answer: Any) -> None:
        """Keeps an answer, a JSON value."""
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
