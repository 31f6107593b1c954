"""Weibull, truncated, shifted, mixed and categorical distributions: tails, ages, moments, files."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from simdistill import (
    categorical,
    deterministic,
    exponential,
    gamma,
    lognormal,
    mixture,
    shifted,
    truncated,
    weibull,
)
from simdistill.errors import InputError
from simdistill.inputs import Empirical
from simdistill.simulation.distributions import (
    Scaled,
    accepted,
    beyond,
    hyperexponential,
    mean_of,
    named,
    normal,
    piecewise_exponential,
    poisson,
    variance_of,
)

POISSON: Any = stats.poisson  # typed as if its frozen distributions were continuous
EDGES = (0.0, 1e-12, 0.1, 0.5, 0.77, 0.999, 1 - 2.0**-53)
MIXED = mixture([(0.3, exponential(3.0)), (0.7, shifted(weibull(0.8, 1.0), 0.5))])
CONTINUOUS = [
    weibull(2.0, 3.0),
    weibull(0.6, 1.0),
    truncated(gamma(3.0, 2.0), 1.0, 5.0),
    truncated(lognormal(2.0, sd=3.0), low=2.5),
    truncated(weibull(1.5, 2.0), low=7.0),
    shifted(lognormal(2.0, 0.7), 1.0),
    MIXED,
    accepted(stats.weibull_min(2, scale=3)),
    accepted(stats.Normal(mu=5.0, sigma=1.0)),
]
IDS = [repr(each)[:50] for each in CONTINUOUS]


def draws(count: int) -> np.ndarray:
    return np.random.default_rng(5).random(count)


@pytest.mark.parametrize("distribution", CONTINUOUS, ids=IDS)
def test_quantiles_invert_the_distribution_function_at_both_ends(distribution):
    for u in (1e-9, 1e-4, 0.3, 0.5, 0.8, 0.999):
        assert distribution.cdf(distribution.quantile(u)) == pytest.approx(u, rel=1e-9)
    for p in (1e-200, 1e-30, 1e-9, 0.2, 0.7):
        assert distribution.survival(distribution.upper_quantile(p)) == pytest.approx(p, rel=1e-9)
    values = [distribution.quantile(u) for u in EDGES]
    assert values == sorted(values) and np.isfinite(values).all()


@pytest.mark.parametrize("age", [0.3, 2.0, 4.0])
@pytest.mark.parametrize("distribution", CONTINUOUS, ids=IDS)
def test_the_rest_is_drawn_given_the_age(distribution, age):
    def given_age(x):
        return 1.0 - np.vectorize(distribution.survival)(x) / distribution.survival(age)

    durations = [beyond(distribution, age, u) for u in draws(1000)]
    assert min(durations) >= age
    assert stats.kstest(durations, given_age).pvalue > 0.01


@pytest.mark.parametrize(
    "distribution",
    [weibull(2.0, 3.0), shifted(weibull(2.0, 3.0), 0.0), mixture([(1.0, weibull(2.0, 3.0))]),
     truncated(weibull(2.0, 3.0)), Scaled(weibull(2.0, 1.0), 3.0), stats.weibull_min(2, scale=3)],
)  # fmt: skip
def test_the_rest_is_exact_where_all_but_nobody_lasts_as_long(distribution):
    # At 60 the distribution function is 1 to the last digit; Weibull's hazard adds up to (x / 3)^2.
    durations = [beyond(distribution, 60.0, u) for u in (0.0, 0.5, 0.9)]
    expected = [3.0 * math.sqrt(400.0 - math.log1p(-u)) for u in (0.0, 0.5, 0.9)]
    assert durations == pytest.approx(expected, rel=1e-12)


def test_an_age_beyond_the_end_is_the_end():
    assert beyond(truncated(exponential(1.0), high=5.0), 5.0, 0.5) == 5.0
    assert beyond(Scaled(exponential(1.0), 2.0), 1000.0, 0.5) == 1000.0


def test_truncated_far_out_in_a_tail():
    reference = stats.truncnorm(30.0, np.inf)
    for distribution in (truncated(normal(0.0, 1.0), low=30.0), truncated(stats.norm(), low=30.0)):
        for u in (0.0, 0.1, 0.5, 0.999):
            assert distribution.quantile(u) == pytest.approx(reference.ppf(u), rel=1e-13)
        assert distribution.mean == pytest.approx(reference.mean(), rel=1e-10)
        assert distribution.variance == pytest.approx(reference.var(), rel=1e-5)


def test_truncated_exponential_has_no_memory():
    distribution = truncated(exponential(2.0), low=3.0)
    assert (distribution.mean, distribution.variance) == pytest.approx((5.0, 4.0))


@pytest.mark.parametrize("inner", [poisson(3.0), stats.poisson(3.0)], ids=["ours", "scipy"])
def test_truncated_whole_numbers_keep_their_proportions(inner):
    distribution = truncated(inner, 1, 5)
    pmf = POISSON(3).pmf(np.arange(1, 6))
    pmf /= pmf.sum()
    assert distribution.mean == pytest.approx(np.arange(1, 6) @ pmf)
    assert distribution.variance == pytest.approx(np.arange(1, 6) ** 2 @ pmf - (np.arange(1, 6) @ pmf) ** 2)
    drawn = [distribution.quantile(u) for u in draws(5000)]
    assert stats.chisquare(np.bincount(np.array(drawn, dtype=int))[1:], 5000 * pmf).pvalue > 0.01  # type: ignore[arg-type]
    assert [distribution.cdf(x) for x in (0.0, 0.9, 5.0, 6.0)] == pytest.approx([0.0, 0.0, 1.0, 1.0])


def test_bounds_without_draws_are_told():
    with pytest.raises(InputError, match=r"no draws between low 5\.0 and high 2\.0"):
        truncated(exponential(1.0), 5.0, 2.0)
    with pytest.raises(InputError, match="no draws between"):
        truncated(deterministic(1.0), 2.0, 3.0)
    assert truncated(Empirical((1.0, 2.0, 9.0)), 2.0).quantile(0.4) == 2.0


def test_a_mixture_is_the_hyperexponential_of_before():
    ours = mixture([(0.3, exponential(3.0)), (0.7, exponential(0.5))])
    before = hyperexponential((0.3, 0.7), (3.0, 0.5))
    assert (ours.mean, ours.variance) == pytest.approx((before.mean, before.variance))
    for u in (0.01, 0.5, 0.9, 0.999):
        assert ours.quantile(u) == pytest.approx(before.quantile(u), rel=1e-9)


def test_a_mixture_jumps_where_its_parts_do():
    distribution = mixture([(0.5, poisson(3.0)), (0.3, deterministic(2.5)), (0.2, poisson(9.0))])
    drawn = np.array([distribution.quantile(u) for u in draws(2000)])
    assert set(drawn) <= {2.5, *range(40)}
    shares = [np.mean(drawn == x) for x in (2.5, 3.0, 9.0)]
    pmf = 0.5 * POISSON(3).pmf([3, 9]) + 0.2 * POISSON(9).pmf([3, 9])
    assert shares == pytest.approx([0.3, *pmf], abs=0.03)
    assert mixture([(0.4, deterministic(0.0)), (0.6, exponential(1.0))]).quantile(0.39) == 0.0


def test_a_mixture_of_far_parts_draws_from_both():
    distribution = mixture([(0.5, normal(1.0, 0.01)), (0.5, normal(1000.0, 0.01))])
    assert [round(distribution.quantile(u)) for u in (0.1, 0.499, 0.501, 0.9)] == [1, 1, 1000, 1000]


MOMENTS = [
    *CONTINUOUS,
    Scaled(weibull(2.0, 1.0), 3.0),
    truncated(MIXED, 0.2, 4.0),
    mixture([(0.25, piecewise_exponential((2.0, 0.0, 1.0), 10.0, 8.0)), (0.75, stats.expon(scale=2))]),
]


@pytest.mark.parametrize("distribution", MOMENTS, ids=[repr(each)[:50] for each in MOMENTS])
def test_mean_and_variance_are_those_of_the_quantiles(distribution):
    def of_quantiles(function):
        edges = [0.0, 1e-3, 0.1, 0.5, 0.9, 0.999, 1 - 1e-6, 1 - 1e-9, 1 - 1e-12]
        integrand = np.vectorize(lambda u: function(distribution.quantile(u)))
        return sum(integrate.fixed_quad(integrand, low, high, n=40)[0] for low, high in pairwise(edges))

    mean = of_quantiles(lambda x: x)
    assert mean_of(distribution) == pytest.approx(mean, rel=1e-4)
    assert variance_of(distribution) == pytest.approx(of_quantiles(lambda x: (x - mean) ** 2), rel=1e-3)


def test_labels_by_their_shares():
    colours = categorical({"red": 0.2, "never": 0.0, "blue": 0.8})
    drawn = [colours.quantile(u) for u in draws(5000)]
    assert drawn.count("red") / 5000 == pytest.approx(0.2, abs=0.02) and set(drawn) == {"red", "blue"}
    assert [colours.cdf(label) for label in ("red", "never", "blue")] == pytest.approx([0.2, 0.2, 1.0])
    with pytest.raises(InputError, match="no label 'green'; it has"):
        colours.cdf("green")
    with pytest.raises(InputError, match="draws labels, which have no mean"):
        mean_of(shifted(colours, 1.0))
    assert colours == categorical([("red", 0.2), ("never", 0.0), ("blue", 0.8)])
    thirds = categorical({n: 0.1 for n in range(10)})
    assert (thirds.quantile(0.0), thirds.quantile(1 - 2.0**-53)) == (0, 9)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (
            lambda: categorical({"red": 0.2, "blue": 0.7}),
            r"categorical needs shares .* add up to 1, got \[0\.2, 0",
        ),
        (lambda: categorical({}), "categorical needs shares"),
        (
            lambda: mixture([(-0.5, exponential(1.0)), (1.5, exponential(2.0))]),
            r"mixture needs shares of at least 0",
        ),
        (lambda: weibull(0.0, 1.0), "weibull needs a shape and a scale above 0"),
        (lambda: lognormal(2.0), "a cv or an sd, and not both, got cv None, sd None"),
        (lambda: lognormal(2.0, cv=0.5, sd=1.0), "and not both"),
        (lambda: named({"name": "mixture", "parts": [[0.5, 3]]}), "mixture needs a distribution such as"),
        (lambda: named({"name": "mixture", "parts": [0.5]}), "mixture needs parts such as"),
        (lambda: named({"name": "mixture", "parts": 1.0}), "mixture needs parts such as"),
        (lambda: named({"name": "shifted", "by": 1.0}), "shifted needs distribution, by; got by"),
        (
            lambda: named({"name": "truncated", "distribution": {"name": "cauchy"}}),
            "no distribution 'cauchy'",
        ),
        (lambda: named({"name": "categorical", "shares": [0.5, 0.5]}), "categorical needs shares such as"),
        (lambda: named({"name": "lognormal", "mean": 1.0}), "lognormal needs mean, cv; got mean"),
    ],
)
def test_what_does_not_exist_is_told(make, told):
    with pytest.raises(ValueError, match=told):
        make()


def test_files_leave_bounds_out():
    spec = {"name": "truncated", "distribution": {"name": "normal", "mean": 5, "sd": 2}}
    assert named(spec) == truncated(normal(5, 2), 0.0, math.inf)
