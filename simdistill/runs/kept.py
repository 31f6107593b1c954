"""How a stopped run goes on: what is there isn't made again."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Made = TypeVar("Made")


def kept(
    path: Path, make: Callable[[], Made], save: Callable[[Path, Made], None], load: Callable[[Path], Made]
) -> Made:
    """Returns what is kept at a path, or makes it and keeps it there.

    Args:
        path: A file or folder; that it exists means that it is whole.
        make: Makes what isn't there.
        save: Writes what was made, whole or not at all.
        load: Reads what is there.
    """
    if path.exists():
        return load(path)
    made = make()
    save(path, made)
    return made
