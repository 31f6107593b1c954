"""The simulator in a process of its own: simulating keeps no decision waiting, and can be stopped."""

import asyncio
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from simdistill import registry
from simdistill.executors import end_with_parent
from simdistill.runs.record import Record
from simdistill.serving.simulated import Simulator, Unknown
from simdistill.teachers.protocol import Lesson

REMEMBERED = 1024
"""Answers kept: the same question has the same answer."""


class Busy(Exception):
    """As much is waiting as may wait."""


class Aside:
    """A run's simulator, one question at a time.

    Args:
        run: The run's folder.
        seconds: Longest time for an answer, that of waiting for one's turn included.
        most: Questions that may wait.
    """

    def __init__(self, run: Path, seconds: float, most: int):
        self.run, self.seconds, self.most = run, seconds, most
        self._waiting, self._line = 0, ThreadPoolExecutor(1, "simulator")
        self._start()

    async def costs(self, state: dict, choices: Sequence[str], futures: int) -> dict:
        """As `Simulator.costs`, with `why_not` in place of an `Unknown`."""
        return await self._asked("costs", state, tuple(choices), futures)

    async def forecasts(self, state: dict, futures: int) -> dict:
        """As `Simulator.forecasts`, with `why_not` in place of an `Unknown`."""
        return await self._asked("forecasts", state, futures)

    def close(self) -> None:
        """Ends the process, whatever it does."""
        self._line.shutdown(wait=False, cancel_futures=True)
        self._stop()

    async def _asked(self, *question: object) -> dict:
        if self._waiting >= self.most:
            raise Busy(f"{self._waiting} questions are waiting for the simulator")
        self._waiting += 1
        end = time.monotonic() + self.seconds
        try:
            return await asyncio.get_running_loop().run_in_executor(self._line, self._answer, question, end)
        finally:
            self._waiting -= 1

    def _answer(self, question: tuple, end: float) -> dict:
        if end <= time.monotonic():
            return {"why_not": f"the simulator was busy for {self.seconds:g} seconds"}
        try:
            self._ours.send(question)
            if self._ours.poll(end - time.monotonic()):
                return self._ours.recv()
            reason = f"the simulator took more than {self.seconds:g} seconds"
        except (EOFError, OSError):
            reason = "the simulator's process ended"
        self._stop()
        self._start()
        return {"why_not": reason}

    def _stop(self) -> None:
        self._process.kill()
        self._process.join()

    def _start(self) -> None:
        # A fork of a process that has used torch's threads may hang.
        context = get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(
            target=_answer_all, args=(self.run, registry.registered(), theirs), daemon=True
        )
        self._process.start()
        theirs.close()


def _answer_all(run: Path, known: dict[tuple[str, str], str], questions: Connection) -> None:
    """Answers until nobody can ask any more."""
    end_with_parent()
    registry.register_all(known)
    record = Record.of(run)
    config = record.config
    teacher = Lesson.load(record.layout.of_task(config.task.name), config.task.simulator)
    simulator = Simulator(config.task, teacher.policy, config.teacher.horizon, config.seed)
    answer = lru_cache(REMEMBERED)(partial(_answered, simulator))
    while True:
        try:
            kind, state, *rest = questions.recv()
        except EOFError:
            return
        questions.send(answer(kind, json.dumps(state), *rest))


def _answered(simulator: Simulator, kind: str, state: str, *rest: object) -> dict:
    try:
        return getattr(simulator, kind)(json.loads(state), *rest)
    except Unknown as error:
        return {"why_not": str(error)}
    except Exception as error:  # a state that nobody has simulated can lead a simulator's code anywhere
        return {"why_not": f"{type(error).__name__}: {error}"}
