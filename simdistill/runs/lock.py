"""The lock of a run's folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from simdistill.errors import InputError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Locks a run's folder against other processes while the block runs.

    Raises:
        InputError: If another run is using it.
    """
    try:
        with FileLock(folder / ".lock").acquire(timeout=0):
            yield
    except Timeout:
        raise InputError(
            f"{folder} is in use by another run; wait for it or choose another output="
        ) from None
