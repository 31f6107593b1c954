"""A clock of training time, recorded at each step, that continues after an interruption."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simdistill.files import read_lines, write_lines


class Clock:
    """Counts seconds since its construction; a resumed run continues from the seconds of its last step.

    Times have a file of their own because a run's other files are byte-identical for the same seed.

    Args:
        path: File of JSON lines, with the `seconds` at the end of each `step`.
    """

    def __init__(self, path: Path):
        self.path = path
        self._before = _last(self._rows())
        self._begin = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds so far, without pauses."""
        return self._before + time.perf_counter() - self._begin

    def note(self, step: int) -> None:
        """Appends the seconds so far to the file, at the end of a step."""
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"step": step, "seconds": self.seconds}) + "\n")

    def back_to(self, step: int) -> None:
        """Removes the steps after `step` and their seconds, as these steps will be trained again."""
        rows = self._rows()
        kept = [row for row in rows if row["step"] <= step]
        self._before -= _last(rows) - _last(kept)
        write_lines(self.path, kept)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stops the clock during the `with` block."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self._begin += time.perf_counter() - begin

    def _rows(self) -> list[dict]:
        return read_lines(self.path) if self.path.exists() else []


def _last(rows: list[dict]) -> float:
    return rows[-1]["seconds"] if rows else 0.0
