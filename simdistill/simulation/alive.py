"""Which processes keep a model alive: what is scheduled, and what goes on without ever asking."""

from collections import Counter
from collections.abc import Iterator
from typing import Protocol

import simpy

from simdistill.errors import AskedOutside
from simdistill.simulation.environment import StoppingEnvironment

WATCHED = 10_000
"""Events that are watched to tell which processes go on for ever."""


class Running(Protocol):
    """What a process model has."""

    env: StoppingEnvironment


def kept_alive_by(model: Running) -> list[str]:
    """Returns the names of the processes that something scheduled will resume, e.g. `Clinic.monitor()`.

    An episode has ended by itself once there are none; a process that waits for a decision isn't among them.

    Args:
        model: The process model; it isn't changed.
    """
    return list(dict.fromkeys(name for *_, event in sorted(model.env._queue) for name in _resumed_by(event)))


def endless_processes(model: Running, events: int = WATCHED) -> list[str]:
    """Runs a model on and returns the names of the processes that are resumed again and again.

    Args:
        model: The process model; it is run on, up to its next question at most.
        events: How many events are watched.

    Returns:
        The names of those resumed at least twice, most often resumed first.
    """
    env, resumed = model.env, Counter()
    for _ in range(events):
        if not env._queue or env.at_once:
            break
        resumed.update(set(_resumed_by(env._queue[0][-1])))
        try:
            env.step()
        except AskedOutside:
            break
    return [name for name, count in resumed.most_common() if count > 1]


def told(names: list[str]) -> str:
    """Returns names as part of a sentence: `a(), b() and 3 others`."""
    if len(names) > 4:
        names = [*names[:3], f"{len(names) - 3} others"]
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part) or "something"


def _resumed_by(event: simpy.Event) -> Iterator[str]:
    """Names of those whom an event resumes, through conditions and interrupts as well."""
    for callback in event.callbacks or ():
        owner = getattr(callback, "__self__", None)
        process = owner if isinstance(owner, simpy.Process) else getattr(owner, "process", None)
        if isinstance(process, simpy.Process):
            generator = process._generator
            yield _short(getattr(generator, "__qualname__", process.name))
        elif isinstance(owner, simpy.Event) and owner is not event:  # a condition is a callback of its own
            yield from _resumed_by(owner)
        elif owner is None:
            yield _short(getattr(callback, "__qualname__", repr(callback)))


def _short(qualified: str) -> str:
    return f"{qualified.rpartition('<locals>.')[-1]}()"
