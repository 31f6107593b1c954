"""Generators that are made before there is an environment, at the top of a file or in a constructor."""

import random
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from simdistill.errors import InputError
from simdistill.simulation.rng import methods
from simdistill.simulation.rng.running import running


class _Shared:
    """What generators of several episodes have in common: each call goes to that of the running episode.

    A what-if runs many episodes of one process in turn, so what a generator belongs to changes at each turn.
    """

    name: str
    _bound: Any = None
    _latest: tuple[Any, Any] = (None, None)  # the sources that were running, and the generator there

    def bind(self, env: Any) -> None:
        """Says which episode draws that are made outside any belong to.

        Args:
            env: The environment that the model's function was given.

        Raises:
            InputError: If the environment belongs to no simulator.
        """
        world = getattr(env, "episode_world", None)
        if world is None:
            raise InputError(
                f"rng({self.name!r}).bind(): {env!r} belongs to no simulator; give the environment that the "
                "model's function was given"
            )
        self._bound = weakref.ref(world.sources)

    @property
    def present(self) -> Any:
        """The generator of the episode that is running, or else of the one that it was bound to.

        Raises:
            InputError: If there is neither.
        """
        sources = running.sources or (self._bound and self._bound())
        if sources is None:
            raise InputError(
                f"rng(None, {self.name!r}) drew before it belonged to an episode; draw inside the model, or "
                "say which one it is for: adapt.bind(env, rng), or rng = adapt.rng(env, ...) in the model"
            )
        return sources.rng(self.name, isinstance(self, random.Random))

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict) -> Any:
        return self

    def __reduce__(self) -> tuple:
        return type(self), (self.name,)

    def __repr__(self) -> str:
        return f"rng(None, {self.name!r})"

    __str__ = __repr__


class SharedGenerator(_Shared, np.random.Generator):
    """A `numpy.random.Generator` for whichever episode is running.

    Args:
        name: Name of the source.
    """

    def __init__(self, name: str):
        np.random.Generator.__init__(self, np.random.Philox(key=0))
        self.name = name

    @property
    def bit_generator(self) -> Any:
        """The bit generator of the episode's own generator."""
        return self.present.bit_generator

    def spawn(self, n_children: int) -> list[np.random.Generator]:
        """Returns generators of sources of their own; see `Generator.spawn`."""
        return self.present.spawn(n_children)


class SharedRandom(_Shared, random.Random):
    """A `random.Random` for whichever episode is running.

    Args:
        name: Name of the source.
    """

    def __new__(cls, name: str):
        return random.Random.__new__(cls)

    def __init__(self, name: str):
        self.name = name

    def seed(self, *arguments: Any, **named: Any) -> None:
        self.present.seed(*arguments, **named)

    def getstate(self) -> tuple:
        return self.present.getstate()

    def setstate(self, state: tuple) -> None:
        self.present.setstate(state)


def _of_present(kind: type, name: str) -> Callable:
    def draw(self: _Shared, *arguments: Any, **named: Any) -> Any:
        sources, generator = self._latest
        if sources is None or sources is not running.sources:
            generator = self.present
            self._latest = running.sources, generator
        return getattr(generator, name)(*arguments, **named)

    draw.__name__, draw.__doc__ = name, getattr(kind, name).__doc__
    return draw


for _name in methods.NUMPY:
    setattr(SharedGenerator, _name, _of_present(np.random.Generator, _name))
for _name in methods.PYTHON:
    setattr(SharedRandom, _name, _of_present(random.Random, _name))
