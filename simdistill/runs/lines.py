"""Progress as lines of text, for output that is no terminal: a log, a pipe, a file."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread

from simdistill.report.formats import duration

EVERY = 30.0
"""Seconds after which a line says how far the work is; no further line says so before."""


class Lines:
    """Says when each phase begins and ends, and every 30 seconds in between how far it is.

    Reports come from the thread that works. Another thread watches the clock, as a phase may work for longer
    than 30 seconds without a report.

    Args:
        say: Function that prints a line.
        clock: Function that returns the time in seconds.
    """

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic):
        self.say, self.clock = say, clock
        self._lock = Lock()
        self._phase = ""
        self._done = self._total = self._first = 0
        self._ended = False
        self._begun = self._told = clock()

    @contextmanager
    def shown(self) -> Iterator["Lines"]:
        """Watches the clock while the block runs."""
        over = Event()
        watching = Thread(target=self._watch, args=(over,), name="progress", daemon=True)
        self._begun = self._told = self.clock()
        watching.start()
        try:
            yield self
        finally:
            over.set()
            watching.join()

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Reports a phase's progress; a phase begins with its first report and ends when all is done."""
        with self._lock:
            if phase != self._phase or done < self._done:
                self._begin(phase, done, total)
            self._done, self._total = done, total
            if done >= total and not self._ended:
                self._end()

    def tick(self) -> None:
        """Says how far the work is, if nothing has been said for 30 seconds."""
        with self._lock:
            if self.clock() - self._told >= EVERY:
                self._tell(self._so_far())

    def _begin(self, phase: str, done: int, total: int) -> None:
        # A phase whose first part is done already began when the phase before it ended.
        late = done == 1 and self._ended
        if not late:
            self._begun = self.clock()
        self._phase, self._first, self._ended = phase, 0 if late else done, False
        self._tell(f"{phase}: begins, {total - self._first} to do")

    def _end(self) -> None:
        self._tell(f"{self._phase}: done, {self._total} in {duration(self._spent())}")
        self._ended, self._begun = True, self.clock()

    def _so_far(self) -> str:
        spent = duration(self._spent())
        if not self._phase:
            return f"getting ready for {spent}"
        if self._ended:
            return f"{self._phase}: done; what comes after it has taken {spent} so far"
        return f"{self._phase}: {self._done} of {self._total} after {spent}, {self._left()}"

    def _left(self) -> str:
        made = self._done - self._first
        if made <= 0:
            return "time left isn't known yet"
        return f"about {duration(self._spent() * (self._total - self._done) / made)} left"

    def _spent(self) -> float:
        return self.clock() - self._begun

    def _tell(self, line: str) -> None:
        self._told = self.clock()
        self.say(line)

    def _watch(self, over: Event) -> None:
        while not over.wait(max(0.0, self._told + EVERY - self.clock())):
            self.tick()
