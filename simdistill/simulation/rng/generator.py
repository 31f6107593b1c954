"""A drop-in `numpy.random.Generator` whose i-th number belongs to its source and i alone.

The methods below take one uniform number, as long as they are asked for one number, and turn it into its
quantile: they are called many times in an episode, and a call is cheaper than one of numpy's. All others, and
arrays, are numpy's own, on a Philox sequence that belongs to the draw. Wrong arguments go to numpy as well,
which says what is wrong with them.
"""

import math
from collections.abc import Callable
from math import exp, inf, log1p, sqrt
from operator import is_not
from typing import Any

import numpy as np

from simdistill.simulation.rng import inverse, methods
from simdistill.simulation.rng.source import Source

NUMBERS = frozenset((float, int, bool))
"""Types of arguments with which nothing has to be looked into."""

MOST_INTEGERS = 2**40
"""Range of whole numbers over which one number of 53 bits is spread evenly enough."""


class Generator(np.random.Generator):
    """Draws from a source of an episode.

    Args:
        source: Where the numbers come from.
        sources: All sources of the episode, among which the spawned ones belong; None for a copy that stands
            alone.
    """

    def __init__(self, source: Source, sources: Any = None):
        super().__init__(np.random.Philox(key=source.key()))
        self.source = source
        self._sources = sources
        self._uniform = source.uniform
        self._numpy = np.random.Generator(self.bit_generator)

    def random(self, size=None, dtype: Any = np.float64, out=None) -> Any:
        if size is None and out is None and dtype is np.float64:
            return self._uniform()
        return self._by_numpy("random", size, dtype, out)

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size=None) -> Any:
        if size is None and low.__class__ in NUMBERS and high.__class__ in NUMBERS and 0 <= high - low < inf:
            return low + (high - low) * self._uniform()
        return self._other("uniform", low, high, size)

    def standard_exponential(self, size=None, dtype: Any = np.float64, method: Any = "zig", out=None) -> Any:
        if size is None and out is None and dtype is np.float64:
            return -log1p(-self._uniform())
        return self._by_numpy("standard_exponential", size, dtype, method, out)

    def exponential(self, scale: Any = 1.0, size=None) -> Any:
        if scale.__class__ is np.float64:  # rates often come from an array
            scale = float(scale)
        if size is None and scale.__class__ in NUMBERS and scale >= 0:
            return -scale * log1p(-self._uniform())
        return self._other("exponential", scale, size)

    def standard_normal(self, size=None, dtype: Any = np.float64, out=None) -> Any:
        if size is None and out is None and dtype is np.float64:
            return inverse.normal(self._uniform(), 0.0, 1.0)
        return self._by_numpy("standard_normal", size, dtype, out)

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size=None) -> Any:
        if size is None and loc.__class__ in NUMBERS and scale.__class__ in NUMBERS and scale >= 0:
            return inverse.normal(self._uniform(), loc, scale)
        return self._other("normal", loc, scale, size)

    def lognormal(self, mean: Any = 0.0, sigma: Any = 1.0, size=None) -> Any:
        if size is None and mean.__class__ in NUMBERS and sigma.__class__ in NUMBERS and sigma >= 0:
            return exp(inverse.normal(self._uniform(), mean, sigma))
        return self._other("lognormal", mean, sigma, size)

    def weibull(self, a: Any, size=None) -> Any:
        if size is None and a.__class__ in NUMBERS and a >= 0:
            return (-log1p(-self._uniform())) ** (1.0 / a) if a else 0.0 * self._uniform()
        return self._other("weibull", a, size)

    def triangular(self, left: Any, mode: Any, right: Any, size=None) -> Any:
        plain = left.__class__ in NUMBERS and mode.__class__ in NUMBERS and right.__class__ in NUMBERS
        if size is None and plain and left <= mode <= right and left < right:
            return inverse.triangular(self._uniform(), left, mode, right)
        return self._other("triangular", left, mode, right, size)

    def integers(
        self, low: Any, high: Any = None, size=None, dtype: Any = np.int64, endpoint: bool = False
    ) -> Any:
        if size is None and dtype is np.int64 and low.__class__ is int:
            least, above = (0, low) if high is None else (low, high)
            if above.__class__ is int and 0 < above - least + endpoint <= MOST_INTEGERS:
                return least + int((above - least + endpoint) * self._uniform())
        return self._other("integers", low, high, size, dtype, endpoint)

    def standard_gamma(self, shape: Any, size=None, dtype: Any = np.float64, out=None) -> Any:
        if size is None and out is None and dtype is np.float64 and shape.__class__ in NUMBERS and shape >= 0:
            return inverse.gamma(self._uniform(), shape, 1.0)
        return self._other("standard_gamma", shape, size, dtype, out)

    def gamma(self, shape: Any, scale: Any = 1.0, size=None) -> Any:
        plain = shape.__class__ in NUMBERS and scale.__class__ in NUMBERS
        if size is None and plain and shape >= 0 and scale >= 0:
            return inverse.gamma(self._uniform(), shape, scale)
        return self._other("gamma", shape, scale, size)

    def beta(self, a: Any, b: Any, size=None) -> Any:
        if size is None and a.__class__ in NUMBERS and b.__class__ in NUMBERS and a > 0 and b > 0:
            return inverse.beta(self._uniform(), a, b)
        return self._other("beta", a, b, size)

    def chisquare(self, df: Any, size=None) -> Any:
        if size is None and df.__class__ in NUMBERS and df > 0:
            return inverse.gamma(self._uniform(), 0.5 * df, 2.0)
        return self._other("chisquare", df, size)

    def f(self, dfnum: Any, dfden: Any, size=None) -> Any:
        plain = dfnum.__class__ in NUMBERS and dfden.__class__ in NUMBERS
        if size is None and plain and dfnum > 0 and dfden > 0:
            return inverse.f(self._uniform(), dfnum, dfden)
        return self._other("f", dfnum, dfden, size)

    def standard_t(self, df: Any, size=None) -> Any:
        if size is None and df.__class__ in NUMBERS and df > 0:
            return inverse.student_t(self._uniform(), df)
        return self._other("standard_t", df, size)

    def standard_cauchy(self, size=None) -> Any:
        if size is None:
            return math.tan(math.pi * ((self._uniform() or inverse.LEAST) - 0.5))
        return self._by_numpy("standard_cauchy", size)

    def pareto(self, a: Any, size=None) -> Any:
        if size is None and a.__class__ in NUMBERS and a > 0:
            return math.expm1(-log1p(-self._uniform()) / a)
        return self._other("pareto", a, size)

    def power(self, a: Any, size=None) -> Any:
        if size is None and a.__class__ in NUMBERS and a > 0:
            return self._uniform() ** (1.0 / a)
        return self._other("power", a, size)

    def rayleigh(self, scale: Any = 1.0, size=None) -> Any:
        if size is None and scale.__class__ in NUMBERS and scale >= 0:
            return scale * sqrt(-2.0 * log1p(-self._uniform()))
        return self._other("rayleigh", scale, size)

    def laplace(self, loc: Any = 0.0, scale: Any = 1.0, size=None) -> Any:
        if size is None and loc.__class__ in NUMBERS and scale.__class__ in NUMBERS and scale >= 0:
            return inverse.laplace(self._uniform(), loc, scale)
        return self._other("laplace", loc, scale, size)

    def logistic(self, loc: Any = 0.0, scale: Any = 1.0, size=None) -> Any:
        if size is None and loc.__class__ in NUMBERS and scale.__class__ in NUMBERS and scale >= 0:
            return inverse.logistic(self._uniform(), loc, scale)
        return self._other("logistic", loc, scale, size)

    def gumbel(self, loc: Any = 0.0, scale: Any = 1.0, size=None) -> Any:
        if size is None and loc.__class__ in NUMBERS and scale.__class__ in NUMBERS and scale >= 0:
            return inverse.gumbel(self._uniform(), loc, scale)
        return self._other("gumbel", loc, scale, size)

    def geometric(self, p: Any, size=None) -> Any:
        if size is None and p.__class__ in NUMBERS and 0 < p <= 1:
            return inverse.geometric(self._uniform(), p)
        return self._other("geometric", p, size)

    def poisson(self, lam: Any = 1.0, size=None) -> Any:
        if lam.__class__ is np.float64:
            lam = float(lam)
        if size is None and lam.__class__ in NUMBERS and 0 <= lam < 1e9:
            return inverse.poisson(self._uniform(), lam)
        return self._other("poisson", lam, size)

    def binomial(self, n: Any, p: Any, size=None) -> Any:
        if size is None and n.__class__ is int and p.__class__ in NUMBERS and 0 <= n < 1e9 and 0 <= p <= 1:
            return inverse.binomial(self._uniform(), n, p)
        return self._other("binomial", n, p, size)

    def choice(
        self, a: Any, size=None, replace: bool = True, p: Any = None, axis: int = 0, shuffle: bool = True
    ) -> Any:
        if size is None and axis == 0 and (things := _listed(a)) is not None:
            count = len(things)
            if p is None:
                return things[int(count * self._uniform())]
            if p.__class__ in (list, tuple, np.ndarray) and np.ndim(p) == 1 and inverse.add_up(p, count):
                return things[inverse.index(self._uniform(), p)]
        return self._other("choice", a, size, replace, p, axis, shuffle)

    def spawn(self, n_children: int) -> list["Generator"]:
        """Returns generators of sources of their own, "treatment/0", "treatment/1", …"""
        if self._sources is None:
            raise ValueError(
                "this generator was loaded from a pickle and belongs to no episode; it can't spawn"
            )
        first = self.source.children
        self.source.children += n_children
        return [
            self._sources.rng(f"{self.source.name}/{number}") for number in range(first, first + n_children)
        ]

    def heard(self, method: str, given: tuple, named: dict, value: Any) -> Any:
        """Is told of a draw that `PythonRandom` makes by itself, and returns what the model is handed."""
        return value

    def moved(self) -> None:
        """Follows its source into other streams."""
        self.source.place(self.bit_generator)

    def _other(self, method: str, *arguments: Any) -> Any:
        """Draws what one uniform number, or plain arguments, weren't enough for."""
        plain = tuple(map(_plain, arguments))
        if any(map(is_not, plain, arguments)):
            return getattr(self, method)(*plain)
        return self._by_numpy(method, *arguments)

    def _by_numpy(self, method: str, *arguments: Any, **named: Any) -> Any:
        self.source.place(self.bit_generator)
        drawn = getattr(self._numpy, method)(*arguments, **named)
        self.source.skip()
        return drawn

    def __copy__(self) -> "Generator":
        return type(self)(self.source.copy(), self._sources)

    def __deepcopy__(self, memo: dict) -> "Generator":
        return self.__copy__()

    def __reduce__(self) -> tuple:
        return Generator, (self.source,)

    def __repr__(self) -> str:
        return f"rng({self.source.name!r})"

    __str__ = __repr__


def _plain(argument: Any) -> Any:
    """A number of numpy's, or one of a class derived from Python's, as Python's own."""
    kind = argument.__class__
    if kind in NUMBERS or argument is None:
        return argument
    if kind is np.float64 or kind is np.int64:
        return argument.item()
    if isinstance(argument, np.generic | np.ndarray) and argument.ndim == 0:
        return argument.item()
    return (
        float(argument)
        if isinstance(argument, float)
        else int(argument)
        if isinstance(argument, int)
        else argument
    )


def _listed(things: Any) -> Any:
    """What one thing can be chosen from by its number, or None where numpy must look at it."""
    kind = things.__class__
    if kind is int:
        return range(things) if things > 0 else None
    if kind is np.ndarray:
        return things if things.ndim == 1 and len(things) else None
    if kind in (list, tuple, range) and len(things):
        return things if all(isinstance(thing, str | int | float) for thing in things) else _as_numpy(things)
    return None


def _as_numpy(things: Any) -> Any:
    """Objects as numpy sees them: None if lists of equal length make more than one axis."""
    array = np.empty(0)
    try:
        array = np.asarray(things)
    except ValueError:
        return None
    return things if array.ndim == 1 else None


def _with_numpy(name: str) -> Callable:
    def draw(self: Generator, *arguments: Any, **named: Any) -> Any:
        return self._by_numpy(name, *arguments, **named)

    draw.__name__, draw.__doc__ = name, getattr(np.random.Generator, name).__doc__
    return draw


for _name in methods.NUMPY:
    if _name not in vars(Generator):
        setattr(Generator, _name, _with_numpy(_name))
