"""Watching a process at every event: time must go on, and forwards, and a question must come."""

import math
import time
import weakref
from collections.abc import Callable

from simdistill.checker.limits import AT_ONCE, Limit
from simdistill.checker.recording import Run
from simdistill.errors import ProcessError
from simdistill.simulation.alive import endless_processes, told
from simdistill.simulation.model import ProcessModel

RUNS_ITSELF = "a process runs the environment itself, by env.step()"


class Silent(ProcessError):
    """The end of a run whose process goes on, but puts no more questions."""


def watch(
    model: ProcessModel,
    run: Run,
    limit: Limit | None = None,
    patience: Callable[[Run], float] = lambda run: math.inf,
) -> None:
    """Watches a process at every event, and checks that its time goes on; SimPy rejects negative delays only.

    Args:
        model: The process; the `step` of its environment is replaced.
        run: Record of the run, which gets the balances and the number of events since the last question.
        limit: Limit in wall time, which is told when each event begins.
        patience: Run -> number of events without a question after which `Silent` is raised.
    """
    env, step, name, path = model.env, model.env.step, type(model).__name__, model.seed_path
    # What the environment holds mustn't keep a model that nobody uses, and the run has the model.
    model, run = weakref.proxy(model), weakref.proxy(run)
    limit, at_once, running = limit or Limit(math.inf), 0.0, False

    def failed(reason: str) -> ProcessError:
        return ProcessError(name, path, env.now, reason)

    def watched() -> None:
        nonlocal at_once, running
        before = env.now
        if running:
            raise failed(RUNS_ITSELF)
        if env.peek() > before:
            run.balances.append((before, _balances(model)))
            at_once = 0.0
        at_once += 1
        if at_once > limit.at_once:
            count, at_once, run.silent = f"{limit.at_once:,}", -math.inf, -math.inf
            limit.at_once = AT_ONCE // 20  # the other runs will do the same
            names = told(endless_processes(model, 1000))
            raise failed(f"time stands still: {count} events happened at one instant, of {names}")
        run.silent += 1
        if run.silent > patience(run) and at_once < run.silent / 2:
            raise Silent(name, path, before, "no question comes any more")
        running, limit.since = True, time.monotonic()
        try:
            step()
        finally:
            running = False
        limit.since = time.monotonic()
        if not env.now >= before:
            raise failed(f"time went from {before:g} to {env.now:g}")

    env.step = watched  # type: ignore[method-assign]


def _balances(model: ProcessModel) -> dict[str, float]:
    """Returns, for each kind of entity, how many are inside minus how many should be."""
    tallies, found = model._tallies, {}
    for name, inside in model.levels().items():
        kind = name.removeprefix("in_system")
        if name == f"in_system{kind}" and f"arrived{kind}" in tallies:
            arrived = tallies[f"arrived{kind}"][0]
            gone = tallies.get(f"left{kind}") or [0.0, tallies.get(f"time_in_system{kind}", [0.0, 0.0])[1]]
            found[name] = inside - arrived + (gone[0] if f"left{kind}" in tallies else gone[1])
    return found
