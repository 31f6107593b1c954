"""What a process model takes for a distribution, and what it says of anything else."""

import itertools
import pickle
from typing import Any

import numpy as np
import pytest
import simpy
from scipy import stats

from simdistill import (
    InputError,
    ProcessError,
    ProcessModel,
    adapt,
    categorical,
    exponential,
    truncated,
    weibull,
    what_if,
)
from simdistill.checker.check import check_simulator
from simdistill.simulation.distributions import Scaled, accepted, beyond, normal
from simdistill.simulation.streams import Streams

NEW_WEIBULL = stats.make_distribution(stats.weibull_min)


class Pareto:
    """A distribution of one's own."""

    def quantile(self, u):
        return (1.0 - u) ** (-1.0 / 3.0)

    def cdf(self, x):
        return 1.0 - x**-3.0 if x > 1.0 else 0.0


class OnlyQuantile:
    def quantile(self, u):
        return u


class Broken(Pareto):
    def quantile(self, u):
        return self.nothing  # type: ignore[attr-defined]


class Door(ProcessModel):
    """Visitors come after durations of some distribution."""

    gap: Any = None

    def build(self):
        self.inside = 0
        self.env.process(self.arrivals())

    def arrivals(self):
        for visitor in itertools.count():
            yield self.duration("arrival", visitor, self.gap)
            if (yield self.decide("Let in?", ["yes", "no"])) == "yes":
                self.inside += 1
                self.cost_rate("inside", self.inside)
                self.env.process(self.visit(visitor))

    def visit(self, visitor):
        yield self.duration("visit", visitor, self.gap)
        self.inside -= 1
        self.cost_rate("inside", self.inside)

    def observe(self, decision):
        return {"inside": self.inside}


class ScipyDoor(Door):
    gap = stats.weibull_min(2, scale=3)


class NamedDoor(Door):
    gap = weibull(2.0, 3.0)


class Quiet(Door):
    def build(self):
        pass


TAKEN = [
    (stats.weibull_min(2, scale=3), stats.weibull_min(2, scale=3)),
    (NEW_WEIBULL(c=2.0), stats.weibull_min(2)),
    (stats.Normal(mu=40.0, sigma=2.0), stats.norm(40, 2)),
    (stats.poisson(3), stats.poisson(3)),
    (Pareto(), stats.pareto(3)),
    (Scaled(stats.weibull_min(2), 3.0), stats.weibull_min(2, scale=3)),
]


@pytest.mark.parametrize(("distribution", "reference"), TAKEN, ids=[type(each).__name__ for each, _ in TAKEN])
def test_a_model_draws_from_it(distribution, reference):
    model, streams = Quiet(), Streams((0,))
    for entity in range(20):
        expected = reference.ppf(streams.uniform("x", entity))
        assert model.draw("x", entity, distribution) == pytest.approx(expected)
        duration: Any = model.duration("x", entity, distribution)
        assert isinstance(duration, simpy.Timeout) and duration._delay == pytest.approx(expected)


def test_scipys_distributions_are_converted_once():
    frozen = stats.gamma(2.0)
    assert accepted(frozen) is accepted(frozen)
    assert pickle.loads(pickle.dumps(accepted(frozen))).quantile(0.3) == accepted(frozen).quantile(0.3)


@pytest.mark.parametrize("distribution", [stats.poisson(3), stats.norm(50, 2), stats.Normal(mu=50, sigma=2)])
def test_a_uniform_number_of_nothing_is_a_draw_all_the_same(distribution):
    assert 0.0 <= accepted(distribution).quantile(0.0) < 50.0


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (3.0, r"^3\.0 is no distribution: a distribution needs quantile\(u\) and cdf\(x\)"),
        (stats.gamma, "gamma_gen object .* isn't frozen"),
        (stats.weibull_min(-1), r"scipy\.stats\.weibull_min\(-1\) has the median nan"),
        (stats.weibull_min([1, 2]), "one number for each parameter"),
        (stats.multivariate_normal(), "multivariate_normal_frozen object .* is no distribution"),
        (type(exponential(1.0)), "class .*Exponential.* is no distribution"),
    ],
)
def test_anything_else_is_told(wrong, told):
    for take in (Quiet().draw, Quiet().duration):
        with pytest.raises(InputError, match=told):
            take("x", 0, wrong)
    with pytest.raises(InputError, match=told):
        truncated(wrong, 0.0, 1.0)
    with pytest.raises(InputError, match=told):
        Scaled(wrong, 2.0)


def test_half_a_distribution_is_told_where_the_rest_of_it_is_needed():
    with pytest.raises(InputError, match=r"OnlyQuantile object .* needs quantile\(u\) and cdf\(x\)"):
        beyond(OnlyQuantile(), 1.0, 0.5)  # type: ignore[arg-type]


def test_an_error_of_ones_own_distribution_is_that_error():
    with pytest.raises(AttributeError, match="nothing"):
        Quiet().draw("x", 0, Broken())


@pytest.mark.parametrize(
    ("distribution", "told"),
    [
        (
            normal(-3.0, 0.001),
            r"duration\('arrival'\) of entity 0 is -[23]\.\d+, drawn from Normal\(mean=-3\.0",
        ),
        (
            stats.norm(-3),
            r"is -\d\.\d+, drawn from scipy\.stats\.norm\(-3\): a duration is a number of at least 0",
        ),
        (categorical({"red": 1.0}), "is 'red', drawn from Categorical"),
        (Scaled(exponential(1.0), float("nan")), "is nan, drawn from Scaled"),
    ],
)
def test_a_duration_that_is_none_is_told(distribution, told):
    model = type("Backwards", (Door,), {"gap": distribution})()
    with pytest.raises(ProcessError, match=told) as raised:
        model.advance()
    assert raised.value.time == 0.0 and raised.value.simulator == "Backwards"


def test_a_function_draws_from_it():
    drawn = []

    def door(env, mean: float = 2.0):
        yield adapt.duration(env, "arrival", 0, stats.expon(scale=mean))
        drawn.extend((env.now, adapt.draw(env, "colour", 0, categorical({"red": 0.2, "blue": 0.8}))))

    adapt.process_model(door)().advance()
    streams = Streams((0,))
    assert drawn[0] == pytest.approx(exponential(2.0).quantile(streams.uniform("arrival", 0)))
    assert drawn[1] == ("red" if streams.uniform("colour", 0) < 0.2 else "blue")


def test_the_check_takes_them_too():
    check_simulator(ScipyDoor)


def test_branches_are_those_of_the_same_distribution_by_name():
    by_name, scipys = (what_if(door, decision=5, futures=8, until=40.0) for door in (NamedDoor, ScipyDoor))
    assert by_name.mean.any() and by_name.mean == pytest.approx(scipys.mean)


def test_one_uniform_number_by_name_or_by_scipy():
    model = Quiet()
    ours, scipys = weibull(2.0, 3.0), stats.weibull_min(2, scale=3)
    drawn = np.array([[model.draw("x", n, each) for each in (ours, scipys)] for n in range(50)])
    np.testing.assert_allclose(drawn[:, 0], drawn[:, 1])
