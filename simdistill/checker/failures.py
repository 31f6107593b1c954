"""Failed runs: which check reports them, and what their author can do."""

import traceback
from collections.abc import Callable, Iterator

from simdistill.checker.probe import Subject
from simdistill.errors import ProcessError

Found = Iterator[tuple[str, str] | str]

_CAUSES = (
    ("the environment itself", "runs",
     "a model only starts its processes; how long an episode lasts, the task says"),
    ("env.run() was called in a process", "runs",
     "a process waits with `yield`, as for env.timeout(…), and never runs the environment that runs it"),
    ("a second simpy.Environment()", "runs", "what makes one run of a model makes one environment"),
    ("takes no environment and makes none", "runs",
     "an environment that is made when a module is imported would be shared by all episodes"),
    ("calls choose()", "runs", "code that may be suspended in the middle runs in a way of its own"),
    ("time stands still", "time",
     "give the loop a timeout that takes time, or let it wait for an event; env.timeout(0) and an event that "
     "has happened already let no time pass"),
    ("no process waits for the answer", "decisions",
     "a question is put when a process yields it, at this line or later"),
    ("offers no choice", "choices",
     "ask only when there is something to choose, or give decide() a choice for doing nothing; a question "
     "that has lost its point is taken back with decision.withdraw()"),
    ("max_choices is", "choices",
     "set max_choices (a number, or a property of the parameters) to the most choices that a question can "
     "have"),
    ("events passed without a decision", "decisions",
     "see that some process always comes to `answer = yield self.decide(...)` again, or let the process end; "
     "where so long a silence is right, raise max_silent_events"),
    ("Negative delay", "time",
     "a timeout was negative: use a distribution of non-negative numbers, and don't subtract times "
     "without max(0, …)"),
    ("a duration is a number of at least 0", "time",
     "draw durations from distributions of non-negative numbers; labels and other numbers are for draw()"),
    ("time went from", "time",
     "schedule events with env.timeout(delay) and delays that are numbers of at least 0, not with "
     "env.schedule()"),
    ("cost '", "cost",
     "look for a division by zero, inf - inf or an empty mean in what goes to cost_rate(), charge()"),
    ("fallback() returned", "illegal answers", "let fallback(decision) return one of decision.labels"),
)  # fmt: skip


def failed(error: Exception) -> tuple[str, tuple[str, str]]:
    """Returns the check that an error belongs to, its message and the advice."""
    reason = error.reason if isinstance(error, ProcessError) else f"{type(error).__name__}: {error}"
    place = line_of(error)
    where = f" at time {error.time:g}" if isinstance(error, ProcessError) else ""
    for words, check, advice in _CAUSES:
        if words in reason:
            return check, (f"{reason}{where}{place}", advice)
    if isinstance(error, NotImplementedError):
        return "runs", (str(error), "a process model needs build(self) and observe(self, decision)")
    return "runs", (f"{reason}{where}{place}", "the process must not fail, whatever is answered")


_NOT_THE_AUTHORS = ("/simpy/", "/simdistill/simulation/", "/simdistill/checker/")
"""Parts of paths of files that a model's author didn't write."""


def line_of(error: BaseException) -> str:
    """Returns the line of the author's own code in which an error arose."""
    while error.__cause__ is not None:
        error = error.__cause__
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not any(part in frame.filename.replace("\\", "/") for part in _NOT_THE_AUTHORS)
    ]
    return f" ({frames[-1].filename}, line {frames[-1].lineno}: {frames[-1].line})" if frames else ""


def failing(check: str) -> Callable[["Subject"], Found]:
    """Returns a check that reports failures of one kind, of any run."""

    def found(subject: Subject) -> Found:
        for run in (subject.main, *subject.perturbed):
            if run.error is not None and (failure := failed(run.error))[0] == check:
                yield failure[1]
                return

    return found
