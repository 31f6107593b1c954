"""One `map` over simulations: in this process, or in worker processes that never load torch."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from threading import Thread
from typing import Protocol, TypeVar

from simdistill import registry

Item = TypeVar("Item")
Result = TypeVar("Result")


class Map(Protocol):
    """Applies a picklable function to items; results come in the items' order."""

    def __call__(self, function: Callable[[Item], Result], items: Iterable[Item], /) -> Iterator[Result]: ...


@contextmanager
def simulating(workers: int | None = None) -> Iterator[Map]:
    """Opens a `map` over worker processes; results don't depend on their number.

    Args:
        workers: Number of processes; None for one per core, 1 for this process alone.
    """
    workers = workers or len(os.sched_getaffinity(0))
    if workers == 1:
        yield map
        return
    # A fork of a process that has used torch's threads may hang, so workers start from a clean server; and as
    # each has a core for itself, its linear algebra must not start threads of its own.
    threads = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        context, known = get_context("forkserver"), registry.registered()
        with ProcessPoolExecutor(workers, context, _begin, (known,)) as pool:
            yield pool.map
    finally:
        if threads is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = threads


def _begin(known: dict[tuple[str, str], str]) -> None:
    """Prepares a worker: it knows what is registered, and doesn't outlive the process it works for."""
    registry.register_all(known)
    end_with_parent()


def end_with_parent() -> None:
    """Ends this process when its parent is gone, however that ended; a pool's workers wait for ever."""
    Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
