"""Resuming a stopped run: files that exist already aren't made again."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Made = TypeVar("Made")


def kept(
    path: Path, make: Callable[[], Made], save: Callable[[Path, Made], None], load: Callable[[Path], Made]
) -> Made:
    """Returns the object saved at a path; if there is none, makes the object and saves it there.

    Args:
        path: A file or folder; if it exists, it must be complete.
        make: Makes the object.
        save: Saves the object at a path atomically.
        load: Loads the object from a path.
    """
    if path.exists():
        return load(path)
    made = make()
    save(path, made)
    return made
