"""Executors, which run simulations in this process, in worker processes, or where an installed plug-in does.

An executor opens a `map`. Results don't depend on the executor, as each simulation draws from random streams
of its own seed path. A package offers its executor with

    [project.entry-points."simdistill.executors"]
    cluster = "my_package.cluster:Cluster"

and a run chooses it with `compute=cluster`.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from multiprocessing.connection import wait
from threading import Thread
from typing import Any, Protocol, TypeVar

from simdistill import registry
from simdistill.config import ExecutorConfig

Item = TypeVar("Item")
Result = TypeVar("Result")


class Map(Protocol):
    """Applies a picklable function to items; results come in the items' order."""

    def __call__(self, function: Callable[[Item], Result], items: Iterable[Item], /) -> Iterator[Result]: ...


class Executor(Protocol):
    """An executor of simulations; its class may declare the fields of its section `compute` as `Config`.

    Args:
        config: The run's section `compute`, validated by the executor's `Config`.
        workers: Largest number of simulations at the same time, at least 1.
    """

    def __init__(self, config: ExecutorConfig, workers: int): ...

    def open(self) -> AbstractContextManager[Map]:
        """Returns a context that yields a `map` and closes it when the block ends, even by an error."""
        ...


class Serial:
    """This process alone, one simulation after another.

    Args:
        config: Has no fields of its own.
        workers: Number of workers, which is ignored.
    """

    def __init__(self, config: ExecutorConfig, workers: int):
        pass

    @contextmanager
    def open(self) -> Iterator[Map]:
        """Yields Python's own `map`."""
        yield map


class Processes:
    """Worker processes on this machine, which never load torch; a single worker is this process itself.

    Args:
        config: Has no fields of its own.
        workers: Number of processes.
    """

    def __init__(self, config: ExecutorConfig, workers: int):
        self.workers = workers

    @contextmanager
    def open(self) -> Iterator[Map]:
        """Starts the workers, yields their `map`, and stops them when the block ends."""
        if self.workers == 1:
            yield map
            return
        # Each worker has one core, so its linear algebra library must not start further threads.
        with _environment("OMP_NUM_THREADS", "1"):
            pool = ProcessPoolExecutor(self.workers, _context(), begin_worker, (registry.registered(),))
            with pool:
                yield pool.map


@contextmanager
def simulating(workers: int | None = None, config: ExecutorConfig | None = None) -> Iterator[Map]:
    """Yields the `map` of an executor; results depend neither on the executor nor on the number of workers.

    Args:
        workers: Number of simulations at the same time; None for one per core, 1 for this process alone.
        config: The executor's name and fields; by default worker processes.

    Raises:
        InputError: If there is no executor of that name.
    """
    config = config or ExecutorConfig()
    executor: Executor = registry.load("executors", config.name)(config, workers or cores())
    with executor.open() as compute:
        yield compute


def cores() -> int:
    """Returns the number of cores that this process may use."""
    try:  # Linux; macOS and Windows have no such limit to ask for, and some containers don't tell it
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        return os.cpu_count() or 1


def begin_worker(known: dict[tuple[str, str], str]) -> None:
    """Prepares a worker process: registers plug-ins and makes the worker end with its parent process.

    Args:
        known: Registered plug-ins, as returned by `simdistill.registry.registered()` in the starting process.
    """
    registry.register_all(known)
    end_with_parent()


def end_with_parent() -> None:
    """Makes this process end when its parent has ended in any way; a pool's worker would wait for ever."""
    Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _context() -> Any:
    """Returns the context that starts workers; it doesn't fork this process, as torch's threads may hang."""
    methods = multiprocessing.get_all_start_methods()
    return multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """Sets an environment variable while the block runs."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
