"""One run in several processes, begun by `accelerate launch`: one does everything, all train."""

import atexit
import gc
import importlib
import os
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from accelerate import PartialState

PATIENCE = timedelta(days=7)
"""How long processes wait while the first one simulates or examines."""


def processes() -> int:
    """Returns the number of processes; one unless something has launched several."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def processes_here() -> int:
    """Returns the number of processes on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def is_first() -> bool:
    """Returns whether this process does everything; all others only help to train."""
    return int(os.environ.get("RANK", "0")) == 0


def meet(device: str) -> None:
    """Waits until all processes have come here.

    Args:
        device: Where they train, "cpu" or "cuda".
    """
    if processes() > 1:
        _state(device).wait_for_everyone()


def agreed(folder: Path | None, device: str) -> Path:
    """Returns the first process's folder in all of them.

    Args:
        folder: The first process's; what the others give doesn't matter.
        device: Where they train, "cpu" or "cuda".
    """
    agreed_on: list[Any] = [folder]
    if processes() > 1:
        from accelerate.utils import broadcast_object_list

        _state(device)
        broadcast_object_list(agreed_on)
    return agreed_on[0]


@cache
def _state(device: str) -> "PartialState":
    from accelerate import PartialState

    # Imported once the group exists, as wrapping a model does, it keeps it as the default of its arguments.
    importlib.import_module("torch.distributed.nn.functional")
    state = PartialState(cpu=device == "cpu", timeout=PATIENCE)
    atexit.register(_leave, state)
    return state


def _leave(state: "PartialState") -> None:
    # A group whose threads outlive the interpreter's shutdown can abort the process. A model that was wrapped
    # for training keeps it too, and is part of cycles, which only a collection frees.
    state.destroy_process_group()
    gc.collect()
