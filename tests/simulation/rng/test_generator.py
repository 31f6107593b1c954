"""Drop-in generators: numpy's methods and Python's, all of them."""

import copy
import inspect
import pickle
import random
from typing import Any

import numpy as np
import pytest
from scipy import stats

from simdistill.errors import InputError
from simdistill.simulation import Streams, World
from simdistill.simulation.rng import methods
from simdistill.simulation.rng.python_random import PythonRandom

PATH = (1, 0, 0, 0)
ARGUMENTS = {
    "beta": (2.0, 3.0),
    "binomial": (10, 0.3),
    "bytes": (5,),
    "chisquare": (3.0,),
    "choice": ([1.0, 2.0, 5.0],),
    "dirichlet": ([1.0, 2.0],),
    "f": (4.0, 9.0),
    "gamma": (2.0, 3.0),
    "geometric": (0.3,),
    "hypergeometric": (5, 4, 3),
    "integers": (3, 9),
    "logseries": (0.4,),
    "multinomial": (5, [0.5, 0.5]),
    "multivariate_hypergeometric": ([3, 4], 2),
    "multivariate_normal": ([0.0, 1.0], [[1.0, 0.0], [0.0, 1.0]]),
    "negative_binomial": (4, 0.5),
    "noncentral_chisquare": (3.0, 1.0),
    "noncentral_f": (4.0, 9.0, 1.0),
    "pareto": (3.0,),
    "permutation": (6,),
    "permuted": ([1, 2, 3, 4],),
    "power": (2.0,),
    "standard_gamma": (0.7,),
    "standard_t": (5.0,),
    "triangular": (1.0, 2.0, 4.0),
    "uniform": (2.0, 3.0),
    "vonmises": (0.0, 2.0),
    "wald": (1.0, 2.0),
    "weibull": (1.5,),
    "zipf": (2.5,),
}
WITHOUT_SIZE = {"bytes", "permutation", "permuted", "shuffle"}


def rng(source: Any = "treatment", random=False, path=PATH) -> Any:
    return World(Streams(path)).sources.rng(source, random)


def drawn(generator, name, **named):
    if name == "shuffle":
        things = list(range(9))
        generator.shuffle(things)
        return things
    return getattr(generator, name)(*ARGUMENTS.get(name, ()), **named)


def alike(one, other):
    found: Any = stats.ks_2samp(one, other)
    return found.pvalue > 1e-5


@pytest.mark.parametrize("name", methods.NUMPY)
def test_every_method_of_numpy_counts_one_draw_and_is_replayed(name):
    one, other, third = rng(), rng(), rng(path=(2, 0, 0, 0))
    for named in ({}, *([] if name in WITHOUT_SIZE else [{"size": 3}, {"size": (2, 2)}])):
        first = drawn(one, name, **named)
        np.testing.assert_array_equal(first, drawn(other, name, **named))
        drawn(third, name, **named)
        kind = type(drawn(np.random.default_rng(0), name, **named))
        assert isinstance(first, kind) or kind in (np.int64, np.float64)
        assert np.shape(first) == np.shape(drawn(np.random.default_rng(0), name, **named))
    assert one.source.count == other.source.count == (1 if name in WITHOUT_SIZE else 3)
    assert one.random() == other.random() != third.random()


@pytest.mark.parametrize("name", [n for n in methods.NUMPY if n not in {*WITHOUT_SIZE, "integers"}])
def test_each_method_has_the_distribution_of_numpy(name):
    ours, theirs = rng(), np.random.default_rng(5)
    ours = np.array([np.ravel(drawn(ours, name))[0] for _ in range(1500)])
    theirs = np.array([np.ravel(drawn(theirs, name))[0] for _ in range(1500)])
    assert alike(ours, theirs)


@pytest.mark.parametrize("lam", [0.0, 0.3, 7.0, 49.0, 51.0, 800.0])
def test_counts_are_quantiles(lam):
    uniforms, generator = rng(), rng()
    for _ in range(300):
        assert generator.poisson(lam) == max(0, stats.poisson.ppf(uniforms.random(), lam))


@pytest.mark.parametrize("n, p", [(10, 0.2), (10, 0.8), (400, 0.1), (400, 0.95), (5, 0.0), (5, 1.0)])
def test_binomial_counts(n, p):
    generator, found = rng(), []
    found = [generator.binomial(n, p) for _ in range(2000)]
    assert all(0 <= k <= n for k in found)
    assert np.mean(found) == pytest.approx(n * p, abs=0.1 + 0.1 * np.sqrt(n * p * (1 - p)))


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("exponential", (-1.0,)),
        ("normal", (0.0, -1.0)),
        ("uniform", (3.0, 1.0)),
        ("integers", (5, 2)),
        ("integers", (0,)),
        ("triangular", (3.0, 2.0, 1.0)),
        ("gamma", (-1.0,)),
        ("beta", (0.0, 1.0)),
        ("weibull", (-1.0,)),
        ("poisson", (-1.0,)),
        ("binomial", (5, 1.5)),
        ("geometric", (0.0,)),
        ("choice", ([],)),
        ("choice", ([1, 2], None, True, [0.5, 0.1])),
        ("choice", ("ab",)),
        ("pareto", (0.0,)),
        ("exponential", ("long",)),
    ],
)
def test_wrong_arguments_are_told_as_numpy_tells_them(name, arguments):
    generator = rng()
    with pytest.raises((ValueError, TypeError, OverflowError)) as theirs:
        getattr(np.random.default_rng(0), name)(*arguments)
    with pytest.raises(type(theirs.value)) as ours:
        getattr(generator, name)(*arguments)
    assert str(ours.value) == str(theirs.value)
    assert generator.source.count == 0


def test_numpys_numbers_are_arguments_like_pythons():
    assert rng().exponential(np.float64(2.0)) == rng().exponential(2) == rng().exponential(np.array(2.0))
    assert rng().integers(np.int64(9)) == rng().integers(9)
    assert np.shape(rng().exponential([1.0, 2.0])) == (2,)


def test_choice_by_probabilities():
    generator = rng()
    found = [generator.choice(["a", "b", "c"], p=[0.2, 0.0, 0.8]) for _ in range(500)]
    assert found.count("b") == 0 and found.count("a") == pytest.approx(100, abs=40)
    assert all(type(label) is str for label in found)
    assert np.shape(generator.choice([[1, 2], [3, 4]])) == (2,)


def test_it_is_a_numpy_generator_and_a_python_random():
    generator = rng()
    assert np.random.default_rng(generator) is generator
    assert stats.gamma(2.0).rvs(random_state=generator) > 0
    assert np.shape(stats.norm.rvs(size=3, random_state=generator)) == (3,)
    assert isinstance(generator.bit_generator, np.random.Philox)
    assert inspect.getdoc(type(generator).hypergeometric) == inspect.getdoc(
        np.random.Generator.hypergeometric
    )


def test_the_ith_draw_is_the_keyed_number():
    streams, generator = Streams(PATH), rng("size")
    assert [generator.random() for _ in range(200)] == [streams.uniform("size", i) for i in range(200)]


def test_sources_dont_share_numbers_and_are_the_same_object():
    world = World(Streams(PATH))
    one, other = world.sources.rng("a"), world.sources.rng("b")
    assert world.sources.rng("a") is one
    assert one.random() != other.random()
    assert (one.normal(size=3) != other.normal(size=3)).all()


@pytest.mark.parametrize("python", [False, True])
def test_copies_go_on_from_the_same_count(python):
    generator = rng(random=python)
    for _ in range(70):
        generator.random()
    copies = [copy.copy(generator), copy.deepcopy(generator), pickle.loads(pickle.dumps(generator))]
    ahead = [generator.random(), generator.uniform(1, 2), generator.uniform(2, 5)]
    for copied in copies:
        assert type(copied) is type(generator)
        assert [copied.random(), copied.uniform(1, 2), copied.uniform(2, 5)] == ahead


def test_spawned_generators_are_sources_of_their_own():
    generator = rng()
    names = [child.source.name for child in (*generator.spawn(2), *generator.spawn(1))]
    assert names == ["treatment/0", "treatment/1", "treatment/2"]
    with pytest.raises(ValueError, match="belongs to no episode"):
        pickle.loads(pickle.dumps(generator)).spawn(1)


PYTHON = {
    "betavariate": (2.0, 3.0),
    "binomialvariate": (5, 0.5),
    "choice": ("abc",),
    "choices": ("abc",),
    "expovariate": (0.5,),
    "gammavariate": (2.0, 3.0),
    "gauss": (0.0, 1.0),
    "getrandbits": (70,),
    "lognormvariate": (0.0, 1.0),
    "normalvariate": (0.0, 1.0),
    "paretovariate": (3.0,),
    "randbytes": (4,),
    "randint": (1, 6),
    "randrange": (2, 20, 3),
    "sample": (range(9), 3),
    "triangular": (1.0, 4.0, 2.0),
    "uniform": (2.0, 3.0),
    "vonmisesvariate": (0.0, 2.0),
    "weibullvariate": (1.0, 2.0),
}


@pytest.mark.parametrize("name", methods.PYTHON)
def test_every_method_of_python_counts_one_draw_and_is_replayed(name):
    one, other = rng(random=True), rng(random=True)
    assert issubclass(type(one), random.Random)
    if name == "shuffle":
        things = list(range(9)), list(range(9))
        one.shuffle(things[0])
        other.shuffle(things[1])
        assert things[0] == things[1] != list(range(9))
    else:
        value = getattr(one, name)(*PYTHON.get(name, ()))
        assert value == getattr(other, name)(*PYTHON.get(name, ()))
        assert type(value) is type(getattr(random.Random(1), name)(*PYTHON.get(name, ())))
    assert one.source.count == other.source.count == 1


@pytest.mark.parametrize("name", ["expovariate", "gauss", "gammavariate", "triangular", "vonmisesvariate"])
def test_pythons_methods_have_their_distribution(name):
    ours, theirs = rng(random=True), random.Random(3)
    samples = [[getattr(g, name)(*PYTHON[name]) for _ in range(1500)] for g in (ours, theirs)]
    assert alike(*samples)


def test_python_random_keeps_to_its_episode():
    generator = rng(random=True)
    with pytest.raises(InputError, match="Take the call out"):
        generator.seed(1)
    state, first = generator.getstate(), generator.random()
    generator.setstate(state)
    assert generator.random() == first
    with pytest.raises(IndexError):
        generator.choice([])
    with pytest.raises(ValueError):
        generator.randrange(0)
    assert 0 <= generator.randrange(2**90) < 2**90
    assert type(generator) is PythonRandom and "treatment" in repr(generator)


@pytest.mark.parametrize("name", ["", None, 3])
def test_a_source_needs_a_name(name):
    with pytest.raises(InputError, match="must have a name"):
        rng(name)
