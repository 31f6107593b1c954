"""A limit in wall time, which stops Python code that doesn't come back."""

import ctypes
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

TICK = 0.1
"""Seconds between two looks at the clock."""
AT_ONCE = 100_000
"""Number of events at one simulated time after which time is taken to stand still."""
LONGEST_EVENT = 20.0
"""Seconds after which one call of the author's code is taken not to come back."""


class TimeIsUp(BaseException):
    """The end of the wall time, raised in the midst of what runs; `except Exception` doesn't catch it."""


class Limit:
    """The wall time that is left, and the time for which the author's code has been running.

    Args:
        seconds: Wall time that is left at first.
    """

    def __init__(self, seconds: float):
        self.seconds, self.end = seconds, time.monotonic() + seconds
        self.longest = min(LONGEST_EVENT, max(5.0, seconds / 3))
        self.since: float | None = None
        self.closed = False
        self.at_once = AT_ONCE
        self._stopped_after = 0.0

    @property
    def left(self) -> float:
        """Wall time that is left, in seconds."""
        return self.end - time.monotonic()

    @contextmanager
    def within(self) -> Iterator[None]:
        """Marks a block in which the author's code runs, and which sets `since` anew as a sign of life."""
        self.since = time.monotonic()
        try:
            yield
        except TimeIsUp:
            raise  # `since` stays: it says when the call began that was stopped
        except BaseException:
            self.since = None
            raise
        self.since = None

    @property
    def blocked(self) -> float:
        """Seconds without a sign of life after which the author's code was stopped; 0 if it wasn't."""
        return self._stopped_after if self._stopped_after >= min(self.longest, self.seconds / 2) else 0.0

    def is_over(self) -> bool:
        """Returns whether the code that runs must be stopped now."""
        if self.closed:
            return False
        now = time.monotonic()
        lasts = 0.0 if self.since is None else now - self.since
        if now < self.end and lasts < self.longest:
            return False
        # SimPy raises what stops a process once more at the next event; the first time counts.
        self._stopped_after = max(self._stopped_after, lasts)
        return True


@contextmanager
def limited(seconds: float) -> Iterator[Limit]:
    """Raises `TimeIsUp` in the block when its time is up, or when a marked call in it doesn't come back.

    In the main thread a signal does that, which also ends a sleep. In other threads, and on systems without
    such signals, Python raises the exception between two of its instructions. Neither stops a loop inside a
    library's C code; for that, the work needs a process of its own.

    Args:
        seconds: Wall time that the block may take.
    """
    limit = Limit(seconds)
    main = threading.current_thread() is threading.main_thread()
    with (_by_signal if main and hasattr(signal, "setitimer") else _by_thread)(limit):
        try:
            yield limit
        finally:
            limit.closed = True


@contextmanager
def _by_signal(limit: Limit) -> Iterator[None]:
    def look(number, frame):
        if limit.is_over():
            raise TimeIsUp

    handler = signal.signal(signal.SIGALRM, look)
    began, (left, interval) = time.monotonic(), signal.setitimer(signal.ITIMER_REAL, TICK, TICK)
    try:
        yield
    finally:
        limit.closed = True
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, handler)
        if left:  # a timer that was set before the block goes on
            signal.setitimer(signal.ITIMER_REAL, max(0.001, left - (time.monotonic() - began)), interval)


@contextmanager
def _by_thread(limit: Limit) -> Iterator[None]:
    done, thread = threading.Event(), threading.get_ident()

    def look() -> None:
        while not done.wait(TICK):
            if limit.is_over():
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(TimeIsUp))
                done.wait(1.0)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        limit.closed = True
        done.set()
        with suppress(TimeIsUp):  # may have been raised just before the block ended
            watcher.join()
