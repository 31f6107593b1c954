"""Quantiles: the number that a uniform number u in [0, 1) stands for, by method of a generator.

All are monotone in u, so that a number that is drawn again in another future, given that it is larger than it
was when last looked at, comes from an interval of u. The simple ones are written out in `generator`, where a
call less counts.
"""

import math
from bisect import bisect_right
from itertools import accumulate
from statistics import NormalDist
from typing import Any

from scipy import special

LEAST = 2.0**-54
"""Stands for u = 0 where that would give minus infinity."""

MOST_STEPS = 50
"""Mean up to which counts are found by adding up probabilities."""

standard_normal = NormalDist().inv_cdf


def normal(u: float, loc: float, scale: float) -> float:
    return loc + scale * standard_normal(u or LEAST)


def triangular(u: float, left: float, mode: float, right: float) -> float:
    spread = right - left
    if u * spread < mode - left:
        return left + math.sqrt(u * spread * (mode - left))
    return right - math.sqrt((1.0 - u) * spread * (right - mode))


def gamma(u: float, shape: float, scale: float) -> float:
    return float(special.gammaincinv(shape, u)) * scale if shape > 0 else 0.0


def beta(u: float, a: float, b: float) -> float:
    return float(special.betaincinv(a, b, u))


def laplace(u: float, loc: float, scale: float) -> float:
    return loc + scale * math.log(2.0 * (u or LEAST)) if u < 0.5 else loc - scale * math.log(2.0 - 2.0 * u)


def logistic(u: float, loc: float, scale: float) -> float:
    return loc + scale * math.log((u or LEAST) / (1.0 - u))


def gumbel(u: float, loc: float, scale: float) -> float:
    return loc - scale * math.log(-math.log(u or LEAST))


def student_t(u: float, df: float) -> float:
    return float(special.stdtrit(df, u or LEAST))


def f(u: float, dfnum: float, dfden: float) -> float:
    return float(special.fdtri(dfnum, dfden, u))


def geometric(u: float, p: float) -> int:
    return max(1, math.ceil(math.log1p(-u) / math.log1p(-p))) if p < 1.0 else 1


def poisson(u: float, lam: float) -> int:
    if lam > MOST_STEPS:
        return _checked(u, special.pdtrik(u, lam), lambda k: special.pdtr(k, lam))
    k, share = 0, math.exp(-lam)
    while u >= share and share > 0.0:
        u -= share
        k += 1
        share *= lam / k
    return k


def binomial(u: float, n: int, p: float) -> int:
    if p > 0.5:
        return n - binomial(1.0 - u if u else 1.0 - 2.0**-53, n, 1.0 - p)
    if n * p > MOST_STEPS:
        guess = special.bdtrik(u, n, p) if u else 0.0
        return min(n, _checked(u, guess, lambda k: special.bdtr(k, n, p)))
    k, share, odds = 0, (1.0 - p) ** n, p / (1.0 - p)
    while u >= share and k < n:
        u -= share
        share *= odds * (n - k) / (k + 1)
        k += 1
    return k


def add_up(p: Any, count: int) -> bool:
    """Whether `p` holds probabilities of so many things, as numpy wants them."""
    return len(p) == count and min(p) >= 0.0 and abs(math.fsum(p) - 1.0) < 1e-8


def index(u: float, p: Any) -> int:
    """Returns which of the things with probabilities `p` is chosen."""
    sums = list(accumulate(p.tolist() if hasattr(p, "tolist") else p))
    return min(bisect_right(sums, u * sums[-1]), len(sums) - 1)


def _checked(u: float, guess: Any, cdf: Any) -> int:
    """Returns the least whole number whose cumulative probability is more than u, near a guess."""
    k = max(0, math.ceil(guess)) if guess == guess else 0
    while k > 0 and cdf(k - 1) > u:
        k -= 1
    while cdf(k) <= u:
        k += 1
    return k
