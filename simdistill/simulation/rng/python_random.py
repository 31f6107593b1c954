"""A drop-in `random.Random` that draws from a source, as `generator` does for numpy."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np

from simdistill.errors import InputError
from simdistill.simulation.rng import methods
from simdistill.simulation.rng.generator import MOST_INTEGERS, Generator


class PythonRandom(random.Random):
    """Draws from a source of an episode; a call of any method is one draw.

    Args:
        generator: Draws from the source as numpy does.
    """

    def __new__(cls, generator: Generator):
        return super().__new__(cls)

    def __init__(self, generator: Generator):
        self.generator = generator
        self._within: _Within | None = None

    @property
    def source(self) -> Any:
        """The source that it draws from."""
        return self.generator.source

    def random(self) -> float:
        return self.generator.random()

    def uniform(self, a: float, b: float) -> float:
        return a + (b - a) * self.generator.random()

    def triangular(self, low: float = 0.0, high: float = 1.0, mode: float | None = None) -> float:
        if low == high:
            return low + 0.0 * self.generator.random()
        mode = 0.5 * (low + high) if mode is None else mode
        return self.generator.triangular(min(low, high), mode, max(low, high))

    def paretovariate(self, alpha: float) -> float:
        return 1.0 + self.generator.pareto(alpha)

    def weibullvariate(self, alpha: float, beta: float) -> float:
        return alpha * self.generator.weibull(beta)

    def expovariate(self, lambd: float = 1.0) -> float:
        return self.generator.standard_exponential() / lambd

    def normalvariate(self, mu: float = 0.0, sigma: float = 1.0) -> float:
        return self.generator.normal(mu, sigma)

    gauss = normalvariate

    def lognormvariate(self, mu: float = 0.0, sigma: float = 1.0) -> float:
        return self.generator.lognormal(mu, sigma)

    def gammavariate(self, alpha: float, beta: float) -> float:
        if alpha <= 0.0 or beta <= 0.0:
            raise ValueError("gammavariate: alpha and beta must be > 0.0")
        return self.generator.gamma(alpha, beta)

    def betavariate(self, alpha: float, beta: float) -> float:
        return self.generator.beta(alpha, beta)

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        within = range(start) if stop is None else range(start, stop, step)
        if not within:
            raise ValueError(f"empty range for randrange() ({start}, {stop}, {step})")
        if abs(within.stop - within.start) > MOST_INTEGERS:
            return self.by_python("randrange", start, stop, step)
        return within.start + within.step * self.generator.integers(len(within))

    def randint(self, a: int, b: int) -> int:
        return self.randrange(a, b + 1)

    def choice(self, seq: Any) -> Any:
        if not len(seq):
            raise IndexError("Cannot choose from an empty sequence")
        return seq[int(len(seq) * self.generator.random())]

    def moved(self) -> None:
        """Follows its source into other streams; nothing is kept between draws."""

    def seed(self, *arguments: Any, **named: Any) -> None:
        raise InputError(
            f"rng({self.source.name!r}): seed() would make every episode the same; the numbers come from the "
            "episode's seed path. Take the call out"
        )

    def getstate(self) -> tuple:
        return "simdistill", self.source.name, self.source.count

    def setstate(self, state: tuple) -> None:
        kind, name, count = state
        if (kind, name) != ("simdistill", self.source.name):
            raise InputError(f"rng({self.source.name!r}): setstate() got the state of another generator")
        self.source.count = count

    def by_python(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Draws what Python needs several numbers for, from a sequence that belongs to this draw."""
        if self._within is None:
            self._within = _Within(np.random.Philox(key=self.source.key()))
        self.source.place(self._within.bits)
        drawn = getattr(self._within, method)(*arguments, **named)
        drawn = self.generator.heard(method, arguments, named, drawn)
        self.source.skip()
        return drawn

    def __copy__(self) -> "PythonRandom":
        return PythonRandom(self.generator.__copy__())

    def __deepcopy__(self, memo: dict) -> "PythonRandom":
        return self.__copy__()

    def __reduce__(self) -> tuple:
        return PythonRandom, (self.generator,)

    def __repr__(self) -> str:
        return f"rng({self.source.name!r}, random=True)"


class _Within(random.Random):
    """Python's methods on a bit generator of numpy's."""

    def __new__(cls, bits: np.random.Philox):
        return super().__new__(cls)

    def __init__(self, bits: np.random.Philox):
        self.bits, self._numpy = bits, np.random.Generator(bits)
        self.gauss_next = None

    def random(self) -> float:
        return self._numpy.random()

    def getrandbits(self, k: int) -> int:
        if k < 0:
            raise ValueError("number of bits must be non-negative")
        return int.from_bytes(self._numpy.bytes((k + 7) // 8), "little") >> (-k % 8)


def _with_python(name: str) -> Callable:
    def draw(self: PythonRandom, *arguments: Any, **named: Any) -> Any:
        return self.by_python(name, *arguments, **named)

    draw.__name__, draw.__doc__ = name, getattr(random.Random, name).__doc__
    return draw


for _name in methods.PYTHON:
    if _name not in vars(PythonRandom):
        setattr(PythonRandom, _name, _with_python(_name))
