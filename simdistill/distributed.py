"""One run in several processes, begun by `accelerate launch`: the first one runs, the others train along."""

import atexit
import gc
import importlib
import os
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from accelerate import PartialState
from accelerate.utils import broadcast_object_list

PATIENCE = timedelta(days=7)
"""How long the others wait while the first one simulates or examines."""


def processes() -> int:
    """Returns how many there are; one unless something has launched several."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def processes_here() -> int:
    """Returns how many of them share this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def is_first() -> bool:
    """Returns whether this one runs everything but training alone."""
    return int(os.environ.get("RANK", "0")) == 0


def meet(device: str) -> None:
    """Waits until all of them are here.

    Args:
        device: Where they train, "cpu" or "cuda".
    """
    if processes() > 1:
        _state(device).wait_for_everyone()


def agreed(folder: Path | None, device: str) -> Path:
    """Returns the first one's folder in all of them.

    Args:
        folder: Of which the others' doesn't matter.
        device: Where they train, "cpu" or "cuda".
    """
    told: list[Any] = [folder]
    if processes() > 1:
        _state(device)
        broadcast_object_list(told)
    return told[0]


@cache
def _state(device: str) -> PartialState:
    # Imported once the group exists, as wrapping a model does, it keeps it as the default of its arguments.
    importlib.import_module("torch.distributed.nn.functional")
    state = PartialState(cpu=device == "cpu", timeout=PATIENCE)
    atexit.register(_leave, state)
    return state


def _leave(state: PartialState) -> None:
    # A group whose threads outlive the interpreter's shutdown can abort the process. A model that was wrapped
    # for training keeps it too, and is part of cycles, which only a collection frees.
    state.destroy_process_group()
    gc.collect()
