"""The processes that keep a model alive: those that are scheduled, and those that never end."""

from collections import Counter
from collections.abc import Iterator
from typing import Protocol

import simpy

from simdistill.errors import AskedOutside
from simdistill.simulation.environment import StoppingEnvironment

WATCHED = 10_000
"""Number of events that are watched to tell which processes go on for ever."""


class Running(Protocol):
    """The part of a process model that is needed here."""

    env: StoppingEnvironment


def kept_alive_by(model: Running) -> list[str]:
    """Returns the names of the processes that a scheduled event will resume, e.g. `Clinic.monitor()`.

    Once there are none, an episode has ended by itself. A process that waits for a decision isn't among them.

    Args:
        model: The process model; it isn't changed.
    """
    return list(dict.fromkeys(name for *_, event in sorted(model.env._queue) for name in _resumed_by(event)))


def endless_processes(model: Running, events: int = WATCHED) -> list[str]:
    """Runs a model on and returns the names of the processes that are resumed again and again.

    Args:
        model: The process model; it is run on, up to its next question at most.
        events: Number of events that are watched.

    Returns:
        The names of the processes that were resumed at least twice, the most often resumed one first.
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
    """Yields the names of the processes that an event resumes, also through conditions and interrupts."""
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
