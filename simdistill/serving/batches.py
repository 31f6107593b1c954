"""Batches of questions: one thread owns the student and answers all waiting requests together."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, Full, Queue
from threading import Thread

from simdistill.models.choice_model import Answer, Posed
from simdistill.models.student import Student
from simdistill.serving.simulator_process import Busy

REMEMBERED = 20_000
"""Number of answers that the student caches before the cache is emptied; each takes some kilobytes."""


@dataclass(frozen=True)
class _Request:
    posed: Sequence[Posed]
    answers: "Future[list[Answer]]" = field(default_factory=Future)


class Batches:
    """Answers the questions of all waiting requests in one forward pass, in a thread of its own.

    Args:
        student: The student; no other thread may use it.
        most_waiting: Largest number of requests that may wait.
        most_together: Number of questions at which a pass takes no further request.

    Attributes:
        passes: Number of passes so far.
        questions: Number of questions answered so far.
    """

    def __init__(self, student: Student, most_waiting: int, most_together: int = 256):
        self.student, self.most_together = student, most_together
        self.passes, self.questions = 0, 0
        self._requests: Queue[_Request | None] = Queue(most_waiting)
        self._thread = Thread(target=self._run, name="student", daemon=True)
        self._thread.start()

    async def ask(self, posed: Sequence[Posed], seconds: float) -> list[Answer]:
        """Returns the student's answers to one request's questions.

        Args:
            posed: The questions.
            seconds: Longest time to wait for the answers.

        Raises:
            Busy: If too many requests are waiting.
            TimeoutError: If the answers take longer.
        """
        request = _Request(posed)
        try:
            self._requests.put_nowait(request)
        except Full:
            raise Busy(f"{self._requests.maxsize} requests are waiting for the student") from None
        return await asyncio.wait_for(asyncio.wrap_future(request.answers), seconds)

    @property
    def alive(self) -> bool:
        """Whether the student's thread is running."""
        return self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """Number of waiting requests."""
        return self._requests.qsize()

    def close(self) -> None:
        """Ends the thread once it has answered the waiting requests."""
        self._requests.put(None)
        self._thread.join()

    def _run(self) -> None:
        ended = False
        while not ended:
            together = [self._requests.get()]
            while together[-1] is not None and _count(together) < self.most_together:
                try:
                    together.append(self._requests.get_nowait())
                except Empty:
                    break
            ended = together[-1] is None
            # A request whose sender has given up gets no answer.
            wanted = [r for r in together if r is not None and r.answers.set_running_or_notify_cancel()]
            if wanted:
                self._answer(wanted)

    def _answer(self, requests: Sequence[_Request]) -> None:
        try:
            answers = self.student.score([question for request in requests for question in request.posed])
        except Exception as error:
            if len(requests) == 1:
                requests[0].answers.set_exception(error)
            for request in requests if len(requests) > 1 else ():
                self._answer([request])  # a request that fails must not make the others fail
            return
        self.passes += 1
        self.questions += len(answers)
        self.student.forget_beyond(REMEMBERED)
        for request in requests:
            request.answers.set_result(answers[: len(request.posed)])
            answers = answers[len(request.posed) :]


def _count(requests: Sequence[_Request | None]) -> int:
    return sum(len(request.posed) for request in requests if request is not None)
