"""Distributions: inverse transform, monotone coupling, and what remains of a duration at a given age."""

import math

import numpy as np
import pytest
from scipy import stats

from simdistill.process import deterministic, exponential, gamma, uniform
from simdistill.process.distributions import beyond

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
