"""A run in several processes, started by `accelerate launch`: all of them train, the first does all else."""

import atexit
import gc
import importlib
import os
import time
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from accelerate import PartialState

PATIENCE = timedelta(days=7)
"""Longest time for which processes wait while the first one simulates or examines."""


def processes() -> int:
    """Returns the number of processes of the run; one unless a launcher has started several."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def processes_here() -> int:
    """Returns the number of processes on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def is_first() -> bool:
    """Returns whether this is the first process, which does everything; the others only help to train."""
    return int(os.environ.get("RANK", "0")) == 0


def meet(device: str) -> None:
    """Waits until all processes have called this function.

    Args:
        device: The device of training, "cpu" or "cuda".
    """
    if processes() > 1:
        _state(device).wait_for_everyone()


def agreed(folder: Path | None, device: str) -> Path:
    """Returns the first process's folder in all processes.

    Args:
        folder: The folder in the first process; ignored in the others.
        device: The device of training, "cpu" or "cuda".
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

    # When this module is imported after the process group was made (wrapping a model does that), the default
    # arguments of its functions keep the group alive; it is imported before.
    importlib.import_module("torch.distributed.nn.functional")
    state = PartialState(cpu=device == "cpu", timeout=PATIENCE)
    atexit.register(_leave, state)
    return state


def _leave(state: "PartialState") -> None:
    # If the group's threads outlive the interpreter's shutdown, they can abort the process. A model that was
    # wrapped for training keeps the group alive, and only a collection frees the model's reference cycles.
    state.destroy_process_group()
    # A thread of Gloo that still has to free the tensors of the last operation needs the interpreter's lock,
    # which the collection keeps while the group waits for that thread: it gets the lock before.
    time.sleep(0.5)
    gc.collect()
