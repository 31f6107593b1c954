"""A check for random generators of a model's own, to which branches can't give another future."""

import gc
import random
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, FunctionType, ModuleType
from typing import Any

import numpy as np
from greenlet import greenlet

from simdistill.checker.failures import Found
from simdistill.checker.probe import Subject, varied
from simdistill.checker.randomness import first_difference
from simdistill.checker.recording import Run
from simdistill.simulation.model import ProcessModel
from simdistill.simulation.rng import Generator, SharedGenerator, SharedRandom
from simdistill.simulation.rng.python_random import PythonRandom

MOST_OBJECTS = 300_000
"""Largest number of a model's objects among which generators are looked for."""

ADVICE = (
    "draw random numbers through self.rng(), self.duration(), self.poisson() and self.draw() only: a "
    "branch can't give another generator another future, so that every future of a what-if would be the "
    "one that really comes"
)

_SHARED: dict[str, Any] = {
    "the module random": random._inst,  # type: ignore[attr-defined]
    "numpy.random": np.random.mtrand._rand,  # type: ignore[attr-defined]
}
"""Generators that all code in the process shares."""

_KINDS = (random.Random, np.random.RandomState, np.random.Generator)
_OURS = (Generator, PythonRandom, SharedGenerator, SharedRandom)
"""Those that `rng` returns: a branch gives them another future."""


def own_generators(subject: Subject) -> Found:
    """Finds models whose course depends on a random generator that isn't the world's.

    At a decision, all generators that can be reached are set to another state; the run must go on as before.
    """
    run = subject.main
    for index in (index for index in (0, 3, 20) if index < len(run.steps)):
        kept: list[_Kept] = []

        def choose(number, time, state, labels):
            taken = run.steps[number].taken if number < len(run.steps) else labels[0]
            return taken if taken in labels else labels[0]

        def meanwhile(number: int, model: ProcessModel, index=index, kept=kept) -> None:
            if number == index:
                kept += [_Kept(name, generator) for name, generator in _reached(model)]
                for one in kept:
                    one.change()

        with _shared_kept():
            try:
                limits = {"decisions": min(len(run.steps), index + 60), "meanwhile": meanwhile}
                other = subject.play(subject.world(), choose, **limits)
                used = dict.fromkeys(one.name for one in kept if one.used)
            finally:
                for one in kept:
                    one.put_back()
        difference = first_difference(Run(steps=run.steps[: len(other.steps)]), other)
        if difference is None and other.error is not None and run.error is None:
            difference = f"it fails: {other.error}"
        if difference is not None and used:
            yield (
                f"the run depends on random numbers of its own, of {' and '.join(used)}: with another state "
                f"of that from time {run.steps[index].time:g} on, {difference}",
                ADVICE,
            )
            return


def draws_for_itself(subject: Subject) -> bool:
    """Returns whether a run draws from a generator that all code shares, or holds a generator of its own."""
    with _shared_kept():
        shared = [_Kept(name, generator) for name, generator in _SHARED.items()]
        run = subject.play(subject.world(), varied, decisions=5)
        if any(one.used for one in shared):
            return True
    return run.model is not None and next(_held_by(run.model), None) is not None


class _Kept:
    """A generator, with the state that it had at first."""

    def __init__(self, name: str, generator: Any):
        self.name, self.generator = name, generator
        self.before = self.set = _state(generator)

    def change(self) -> None:
        """Sets the generator to another state, always the same one."""
        kind = type(self.generator)
        if issubclass(kind, random.Random):
            self.generator.setstate(random.Random(720720).getstate())
        else:
            bits = (
                self.generator.bit_generator if kind is np.random.Generator else self.generator._bit_generator
            )
            bits.state = type(bits)(720720).state
        self.set = _state(self.generator)

    @property
    def used(self) -> bool:
        """Whether numbers were drawn since the generator's state was set."""
        return not _same(_state(self.generator), self.set)

    def put_back(self) -> None:
        """Gives the generator the state back that it had at first."""
        if isinstance(self.generator, random.Random):
            self.generator.setstate(self.before)
        elif isinstance(self.generator, np.random.Generator):
            self.generator.bit_generator.state = self.before
        else:
            self.generator.set_state(self.before)


@contextmanager
def _shared_kept() -> Iterator[None]:
    """Restores the states of the shared generators when the block ends."""
    shared = [_Kept(name, generator) for name, generator in _SHARED.items()]
    try:
        yield
    finally:
        for one in shared:
            one.put_back()


def _state(generator: Any) -> Any:
    if isinstance(generator, random.Random):
        return generator.getstate()
    if isinstance(generator, np.random.Generator):
        return generator.bit_generator.state
    return generator.get_state(legacy=False)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return bool(np.array_equal(np.asarray(one), np.asarray(other)))
    return one == other


def _reached(model: ProcessModel) -> Iterator[tuple[str, Any]]:
    """Yields name and generator: the shared ones, and those that a model, its processes and modules hold."""
    yield from _SHARED.items()
    yield from _held_by(model)


def _held_by(model: ProcessModel) -> Iterator[tuple[str, Any]]:
    """Yields name and generator of all generators that a model, its processes and its modules hold."""
    function = getattr(type(model), "function", None)
    modules = filter(None, (sys.modules.get(kind.__module__) for kind in type(model).__mro__))
    waiting: list[Any] = [model, function, *type(model).__mro__, *modules]
    seen = {id(model.world), *map(id, _SHARED.values())}
    while waiting and len(seen) < MOST_OBJECTS:
        thing = waiting.pop()
        if id(thing) in seen or thing is None:
            continue
        seen.add(id(thing))
        if isinstance(thing, _KINDS):
            if not isinstance(thing, (random.SystemRandom, *_OURS)):
                yield f"a {type(thing).__module__.split('.')[0]} {type(thing).__name__}", thing
        else:
            waiting += _parts(thing)


def _parts(thing: Any) -> list[Any]:
    """Returns what an object holds; modules and classes that the author didn't write count as empty."""
    if isinstance(thing, ModuleType | type):
        return list(vars(thing).values()) if _written_by_author(thing) else []
    if isinstance(thing, FunctionType):
        module = sys.modules.get(thing.__module__ or "")
        return [*(thing.__closure__ or ()), *(thing.__defaults__ or ()), module]
    if isinstance(thing, str | bytes | int | float | complex | np.ndarray):
        return []
    if isinstance(thing, greenlet):  # the collector doesn't see what a suspended stack holds
        return [value for frame in _frames(thing) for value in frame.f_locals.values()]
    return gc.get_referents(thing)


def _frames(code: greenlet) -> Iterator[FrameType]:
    frame = code.gr_frame
    while frame is not None:
        yield frame
        frame = frame.f_back


_LIBRARIES = tuple(
    str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "platstdlib", "purelib", "platlib")
)


def _written_by_author(thing: Any) -> bool:
    """Returns whether a module, or the module of a class, belongs to no library."""
    name = thing.__name__ if isinstance(thing, ModuleType) else thing.__module__
    if not isinstance(name, str):  # proxies of objects make it a property
        return False
    file = getattr(sys.modules.get(name), "__file__", None)
    if name == "__main__" or name.startswith("simdistill.simulators."):
        return True
    if file is None or name.partition(".")[0] == "simdistill":
        return False
    path = str(Path(file).resolve())
    return not path.startswith(_LIBRARIES) and "site-packages" not in path
