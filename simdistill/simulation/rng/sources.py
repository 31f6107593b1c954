"""All sources of an episode, by name."""

from typing import Any

from simdistill.errors import InputError
from simdistill.simulation.rng.generator import Generator
from simdistill.simulation.rng.python_random import PythonRandom
from simdistill.simulation.rng.source import Numbered, Source


class Sources:
    """The sources of one episode and the generators that draw from them.

    Args:
        streams: Where the numbers come from.
    """

    def __init__(self, streams: Numbered):
        self.streams = streams
        self._sources: dict[str, Source] = {}
        self._generators: dict[tuple[str, bool], Any] = {}

    def rng(self, name: str, random: bool = False) -> Any:
        """Returns the generator of a source, the same object whenever it is asked for.

        Args:
            name: Name of the source.
            random: Whether it is a `random.Random` and not a `numpy.random.Generator`.

        Raises:
            InputError: If the name is no text.
        """
        found = self._generators.get((name, random))
        if found is None:
            if not isinstance(name, str) or not name:
                raise InputError(
                    f'rng: the source must have a name, as in rng(env, "treatment"); got {name!r}'
                )
            found = self._generators[name, random] = self._made(self._source(name), random)
        return found

    def move(self, streams: Numbered) -> None:
        """Lets every source go on, with its count, in other streams."""
        self.streams = streams
        for source in self._sources.values():
            source.move(streams)
        for generator in self._generators.values():
            generator.moved()

    @property
    def counts(self) -> tuple[tuple[str, int], ...]:
        """How far each source is; two episodes that go on alike must agree in them."""
        return tuple(sorted((name, source.count) for name, source in self._sources.items() if source.count))

    def _source(self, name: str) -> Source:
        found = self._sources.get(name)
        if found is None:
            found = self._sources[name] = Source(name, self.streams)
        return found

    def _made(self, source: Source, random: bool) -> Any:
        generator = self._generator(source)
        return PythonRandom(generator) if random else generator

    def _generator(self, source: Source) -> Generator:
        return Generator(source, self)
