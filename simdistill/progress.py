"""Progress reports: how long-running code reports its progress, independent of how that is shown."""

from typing import Protocol


class Progress(Protocol):
    """A function that is called whenever a part of a phase is finished."""

    def __call__(self, phase: str, done: int, total: int, /) -> None:
        """Reports a phase's progress.

        Args:
            phase: Words for the phase, shown to the user.
            done: Number of finished parts.
            total: Number of all parts.
        """


def silent(phase: str, done: int, total: int, /) -> None:
    """Ignores progress reports; for tests and for use as a library."""
