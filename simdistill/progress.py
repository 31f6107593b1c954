"""How code says how far it is, without knowing who shows it."""

from typing import Protocol


class Progress(Protocol):
    """Called whenever a part of a phase is done."""

    def __call__(self, phase: str, done: int, total: int, /) -> None:
        """Reports how far a phase is.

        Args:
            phase: What is being done, for the person who waits.
            done: Finished parts.
            total: All parts.
        """


def silent(phase: str, done: int, total: int, /) -> None:
    """Shows nothing; for tests and for use as a library."""
