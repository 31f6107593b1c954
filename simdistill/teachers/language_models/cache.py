"""What language models have said, on disk: found again by all that made it, never by a part of it."""

import hashlib
import json
import sqlite3
from pathlib import Path
from typing import Any

from simdistill.errors import InputError


class Remembered:
    """A file of answers; several runs may use it at once.

    Args:
        path: The SQLite file, made if it isn't there.

    Raises:
        InputError: It can't be opened, or is no such file.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Each answer is committed by itself, so that a killed run keeps those that it has paid for; a
            # write-ahead log saves the wait for the disk.
            self._file = sqlite3.connect(path, timeout=60.0, isolation_level=None)
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute("PRAGMA synchronous = NORMAL")
            self._file.execute(
                "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, value TEXT NOT NULL)"
            )
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error

    def __getitem__(self, made_by: Any) -> Any:
        """Returns what was kept under all that made it, JSON values both; None if nothing was."""
        try:
            query = "SELECT value FROM answers WHERE key = ?"
            row = self._file.execute(query, (_key(made_by),)).fetchone()
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        return None if row is None else json.loads(row[0])

    def __setitem__(self, made_by: Any, value: Any) -> None:
        """Keeps a JSON value."""
        try:
            self._file.execute(
                "INSERT OR REPLACE INTO answers VALUES (?, ?)", (_key(made_by), json.dumps(value))
            )
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _unusable(self, error: Exception) -> InputError:
        return InputError(
            f"Remembered answers in {self.path} can't be used: {error}. Make room, or delete the file; its "
            "answers are then asked for again."
        )


def _key(made_by: Any) -> str:
    return hashlib.sha256(json.dumps(made_by, sort_keys=True).encode()).hexdigest()
