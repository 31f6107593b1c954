"""Runs the simulator in a separate process: decisions don't wait for it, and simulations can be stopped."""

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
"""Number of cached answers; the same question always has the same answer."""


class Busy(Exception):
    """Raised if the largest allowed number of requests is waiting already."""


class SimulatorProcess:
    """A run's simulator in a separate process, which answers one question at a time.

    Args:
        run: Folder of the run.
        seconds: Longest time in seconds for an answer, including the wait for its turn.
        most: Largest number of waiting questions, including the one being answered.
    """

    def __init__(self, run: Path, seconds: float, most: int):
        self.run, self.seconds, self.most = run, seconds, most
        self._waiting, self._line = 0, ThreadPoolExecutor(1, "simulator")
        self._start()

    async def costs(self, state: dict, choices: Sequence[str], futures: int) -> dict:
        """Returns the result of `Simulator.costs`, or `{"why_not": reason}` if there is none."""
        return await self._ask("costs", state, tuple(choices), futures)

    async def forecasts(self, state: dict, futures: int) -> dict:
        """Returns the result of `Simulator.forecasts`, or `{"why_not": reason}` if there is none."""
        return await self._ask("forecasts", state, futures)

    def close(self) -> None:
        """Stops the process at once, even during an answer."""
        self._line.shutdown(wait=False, cancel_futures=True)
        self._stop()

    async def _ask(self, *question: object) -> dict:
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
        # Spawned, as a process that is forked after torch has started threads may hang.
        context = get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(
            target=_answer_all, args=(self.run, registry.registered(), theirs), daemon=True
        )
        self._process.start()
        theirs.close()


def _answer_all(run: Path, known: dict[tuple[str, str], str], questions: Connection) -> None:
    """Answers questions in the simulator's process until the other end of the connection is closed."""
    end_with_parent()
    registry.register_all(known)
    record = Record.of(run)
    config = record.config
    teacher = Lesson.load(record.layout.of_task(config.task.name), config.task.simulator)
    simulator = Simulator(config.task, teacher.policy, config.teacher.horizon, config.seed)
    answer = lru_cache(REMEMBERED)(partial(_answer_or_reason, simulator))
    while True:
        try:
            kind, state, *rest = questions.recv()
        except EOFError:
            return
        questions.send(answer(kind, json.dumps(state), *rest))


def _answer_or_reason(simulator: Simulator, kind: str, state: str, *rest: object) -> dict:
    try:
        return getattr(simulator, kind)(json.loads(state), *rest)
    except Unknown as error:
        return {"why_not": str(error)}
    except Exception as error:  # in a state that no episode reaches, a simulator may raise any exception
        return {"why_not": f"{type(error).__name__}: {error}"}
