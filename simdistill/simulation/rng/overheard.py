"""Generators whose draws somebody listens to: one who notes a past, or one who records a run."""

from collections.abc import Callable
from typing import Any

from simdistill.simulation.rng import methods
from simdistill.simulation.rng.generator import Generator
from simdistill.simulation.rng.source import Source
from simdistill.simulation.rng.sources import Sources
from simdistill.simulation.rng.tracked import plain


class OverheardSources(Sources):
    """Sources that are told of every draw."""

    def heard(self, source: Source, count: int, method: str, given: tuple, named: dict, value: Any) -> Any:
        """Is told of a draw.

        Args:
            source: Its source.
            count: Its number.
            method: Name of the method, of numpy's generator or Python's.
            given: Positional arguments.
            named: Named arguments.
            value: What it returns.

        Returns:
            What the model is handed.
        """
        raise NotImplementedError

    def _generator(self, source: Source) -> Generator:
        return OverheardGenerator(source, self)


class OverheardGenerator(Generator):
    """A generator that tells its sources of every draw."""

    def __init__(self, source: Source, sources: Any = None):
        super().__init__(source, sources)
        self._plain = Generator(source)

    def heard(self, method: str, given: tuple, named: dict, value: Any) -> Any:
        return self._sources.heard(self.source, self.source.count, method, given, named, value)


def _overheard(name: str) -> Callable:
    def draw(self: OverheardGenerator, *given: Any, **named: Any) -> Any:
        count, arguments = self.source.count, tuple(plain(argument) for argument in given)
        value = getattr(self._plain, name)(*arguments, **{key: plain(one) for key, one in named.items()})
        return self._sources.heard(self.source, count, name, given, named, value)

    draw.__name__, draw.__doc__ = name, getattr(Generator, name).__doc__
    return draw


for _name in methods.NUMPY:
    setattr(OverheardGenerator, _name, _overheard(_name))
