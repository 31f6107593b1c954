"""Distributions: inverse transform, monotone coupling, and what remains of a duration at a given age."""

import math

import numpy as np
import pytest
from scipy import stats

from simdistill.simulation import deterministic, exponential, gamma, uniform
from simdistill.simulation.distributions import (
    Scaled,
    beyond,
    binomial,
    discrete_uniform,
    geometric,
    hyperexponential,
    lognormal,
    named,
    negative_binomial,
    normal,
    piecewise_exponential,
    poisson,
    triangular,
)

CONTINUOUS = [exponential(2.0), uniform(1.0, 4.0), gamma(3.0, 2.0), gamma(0.5, 1.0)]


def draws(count: int) -> np.ndarray:
    return np.random.default_rng(7).random(count)


@pytest.mark.parametrize("distribution", CONTINUOUS)
def test_the_quantile_inverts_the_distribution_function(distribution):
    for u in (0.01, 0.3, 0.5, 0.9, 0.999):
        assert distribution.cdf(distribution.quantile(u)) == pytest.approx(u)


@pytest.mark.parametrize(
    ("distribution", "reference"),
    [
        (exponential(2.0), stats.expon(scale=2.0)),
        (uniform(1.0, 4.0), stats.uniform(1.0, 3.0)),
        (gamma(3.0, 2.0), stats.gamma(3.0, scale=2.0 / 3.0)),
    ],
)
def test_draws_follow_the_distribution(distribution, reference):
    values = [distribution.quantile(u) for u in draws(2000)]
    assert stats.kstest(values, reference.cdf).pvalue > 0.01


def test_one_uniform_number_makes_longer_draws_of_a_slower_server():
    for u in draws(50):
        assert exponential(1.0).quantile(u) < exponential(1.5).quantile(u)
        assert gamma(3.0, 1.0).quantile(u) < gamma(3.0, 1.5).quantile(u)


@pytest.mark.parametrize(("distribution", "age"), [(gamma(3.0, 2.0), 1.5), (uniform(1.0, 4.0), 2.0)])
def test_the_rest_is_drawn_given_the_age(distribution, age):
    def given_age(x):
        survived = distribution.cdf(age)
        return (np.vectorize(distribution.cdf)(x) - survived) / (1 - survived)

    durations = [beyond(distribution, age, u) for u in draws(2000)]
    assert min(durations) >= age
    assert stats.kstest(durations, given_age).pvalue > 0.01
    # The test tells these from a duration that starts anew at the age.
    renewed = [age + distribution.quantile(u) for u in draws(2000)]
    assert stats.kstest(renewed, given_age).pvalue < 1e-6


def test_an_exponential_duration_has_no_age_even_far_out():
    assert beyond(exponential(1.0), 1000.0, 0.5) == pytest.approx(1000.0 + math.log(2.0))


def test_a_deterministic_duration_ends_when_it_must():
    assert beyond(deterministic(10.0), 4.0, 0.9) == 10.0
    assert [deterministic(10.0).cdf(x) for x in (9.0, 10.0)] == [0.0, 1.0]


def test_before_its_shortest_length_an_age_tells_nothing():
    for u in draws(20):
        assert beyond(uniform(5.0, 6.0), 1.0, u) == pytest.approx(uniform(5.0, 6.0).quantile(u))


def test_triangular_draws_follow_the_distribution():
    distribution = triangular(5.0, 7.0, 10.0)
    reference = stats.triang(0.4, loc=5.0, scale=5.0)
    for u in (0.0, 0.01, 0.4, 0.7, 0.999):
        assert distribution.quantile(u) == pytest.approx(reference.ppf(u))
        assert distribution.cdf(distribution.quantile(u)) == pytest.approx(u)
    assert (distribution.cdf(4.0), distribution.cdf(11.0)) == (0.0, 1.0)


def test_a_rate_that_changes_by_the_clock():
    distribution = piecewise_exponential((2.0, 0.0, 1.0), 10.0, 8.0)
    # 2 a minute up to minute 10, nothing up to 20, 1 a minute up to 30, then from the beginning.
    assert distribution.cdf(2.0) == pytest.approx(1.0 - math.exp(-4.0)) == distribution.cdf(12.0)
    assert distribution.cdf(13.0) == pytest.approx(1.0 - math.exp(-5.0))
    assert distribution.cdf(23.0) == pytest.approx(1.0 - math.exp(-16.0))
    for u in (0.3, 0.985, 0.9999, 1.0 - 1e-8):
        assert distribution.cdf(distribution.quantile(u)) == pytest.approx(u, abs=1e-12)
    assert distribution.quantile(1.0 - math.exp(-4.5)) == pytest.approx(12.5)


MOMENTS = [
    exponential(2.0),
    deterministic(3.0),
    uniform(1.0, 4.0),
    gamma(3.0, 2.0),
    triangular(1.0, 2.0, 4.0),
    lognormal(2.0, 0.7),
    hyperexponential((0.3, 0.7), (3.0, 0.5)),
]


@pytest.mark.parametrize("distribution", MOMENTS)
def test_mean_and_variance_are_those_of_the_draws(distribution):
    u = (np.arange(20_000) + 0.5) / 20_000
    values = np.array([distribution.quantile(each) for each in u])
    assert values.mean() == pytest.approx(distribution.mean, rel=1e-3)
    assert values.var() == pytest.approx(distribution.variance, rel=2e-2)


@pytest.mark.parametrize(
    "distribution",
    [lognormal(2.0, 0.7), hyperexponential((0.3, 0.7), (3.0, 0.5)), Scaled(gamma(2.0, 1.0), 3)],
)
def test_the_quantile_inverts_the_distribution_function_of_mixtures_too(distribution):
    for u in (1e-6, 0.3, 0.9, 0.999, 1 - 1e-9):
        assert distribution.cdf(distribution.quantile(u)) == pytest.approx(u)
    assert distribution.quantile(0.0) == 0.0 == distribution.cdf(0.0)


def test_lognormal_as_scipy_has_it():
    spread = math.sqrt(math.log1p(0.7**2))
    reference = stats.lognorm(spread, scale=2.0 * math.exp(-(spread**2) / 2))
    assert lognormal(2.0, 0.7).quantile(0.9) == pytest.approx(reference.ppf(0.9))


def test_distributions_by_name():
    assert named({"name": "erlang", "shape": 2, "mean": 1}) == gamma(2, 1)
    assert named({"name": "hyperexponential", "probabilities": [1.0], "means": [2.0]}).mean == 2.0


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"name": "cauchy"}, "no distribution 'cauchy'; available: exponential, "),
        ({"mean": 1.0}, "no distribution None"),
        ({"name": "erlang", "mean": 1.0}, "erlang needs shape, mean; got mean"),
        ({"name": "exponential", "mean": -1.0}, "not negative"),
        ({"name": "exponential", "mean": "long"}, "not negative"),
    ],
)
def test_what_is_no_distribution_is_reported(spec, message):
    with pytest.raises(ValueError, match=message):
        named(spec)


COUNTS = [
    (poisson(5.0), stats.poisson(5.0)),
    (geometric(5.0), stats.geom(1 / 6, loc=-1)),
    (negative_binomial(5.0, 3.0), stats.nbinom(25 / 4, 5 / 9)),
    (binomial(12, 0.3), stats.binom(12, 0.3)),
    (discrete_uniform(2, 9), stats.randint(2, 10)),
]


@pytest.mark.parametrize(("counts", "reference"), COUNTS, ids=lambda value: type(value).__name__)
def test_counts_agree_with_their_distribution(counts, reference):
    k = np.arange(len(counts.probabilities))
    np.testing.assert_allclose(counts.probabilities, reference.pmf(k), atol=1e-12)
    assert counts.probabilities.sum() == pytest.approx(1.0, abs=1e-12)
    assert (counts.mean, counts.variance) == pytest.approx((reference.mean(), reference.var()))
    assert counts.cdf(-1.0) == 0.0
    assert counts.cdf(4.5) == pytest.approx(reference.cdf(4))
    for u in draws(50):
        assert counts.quantile(u) == reference.ppf(u)
    assert counts.quantile(1 - 2.0**-53) < len(counts.probabilities)


def test_a_normal_amount_is_finite_at_the_ends():
    assert normal(50.0, 8.0).quantile(0.5) == 50.0
    assert normal(50.0, 8.0).cdf(58.0) == pytest.approx(stats.norm.cdf(1.0))
    assert -20.0 < normal(50.0, 8.0).quantile(0.0) < 50.0


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"name": "negative_binomial", "mean": 5, "sd": 2}, "variance above its mean"),
        ({"name": "binomial", "trials": 2.5, "probability": 0.5}, "whole trials"),
        ({"name": "discrete_uniform", "low": 4, "high": 2}, "low <= high"),
    ],
)
def test_counts_that_do_not_exist_are_reported(spec, message):
    with pytest.raises(ValueError, match=message):
        named(spec)
