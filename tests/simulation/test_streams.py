"""Random streams: a number belongs to its name, whatever was drawn before."""

import itertools
import math
import random

import numpy as np
import pytest
from scipy import stats

from simdistill import simulation
from simdistill.simulation import (
    TEST,
    TRAIN,
    VALIDATION,
    Streams,
    World,
    deterministic,
    exponential,
    gamma,
    generator,
    streams,
)
from simdistill.simulation.streams import BranchedWorld, Clock

PATH = (3, TRAIN, 0, 5)


def test_a_number_is_the_same_on_every_machine():
    # Pinned: another value means that old seed paths don't reproduce old questions.
    assert Streams((1, 2)).uniform("service", 17) == 0.14795575078312628
    assert generator((1, 2)).random() == 0.23316830360018304


def test_numbers_do_not_depend_on_the_order_of_asking():
    keys = list(itertools.product(("arrival", "service"), range(-70, 200, 7), (0, 1)))
    first, second = Streams(PATH), Streams(PATH)
    expected = {key: first.uniform(*key) for key in keys}
    random.Random(0).shuffle(keys)
    assert {key: second.uniform(*key) for key in keys} == expected
    assert len(set(expected.values())) == len(keys)


@pytest.mark.parametrize(
    "other", [(4, TRAIN, 0, 5), (3, VALIDATION, 0, 5), (3, TEST, 0, 5), (3, TRAIN, 0, 6)]
)
def test_another_seed_path_gives_other_numbers(other):
    assert Streams(other).uniform("service", 0) != Streams(PATH).uniform("service", 0)
    assert generator(other).random() != generator(PATH).random()


def test_numbers_are_uniform_and_unrelated_between_sources_and_entities():
    streams = Streams(PATH)
    a, b = (np.array([streams.uniform(source, n) for n in range(3000)]) for source in ("a", "b"))
    assert stats.kstest(a, "uniform").pvalue > 0.01
    assert abs(np.corrcoef(a, b)[0, 1]) < 4 / math.sqrt(3000)
    assert abs(np.corrcoef(a[1:], a[:-1])[0, 1]) < 4 / math.sqrt(3000)


def test_a_clock_ticks_at_a_poisson_process():
    clock = Clock(Streams(PATH), "service", 2.0)
    points = [clock.after(0.0)]
    while len(points) < 2000:
        points.append(clock.after(points[-1]))
    assert stats.kstest(np.diff([0.0, *points]), stats.expon(scale=0.5).cdf).pvalue > 0.01


def test_a_clock_does_not_depend_on_when_it_is_asked():
    often, once = Clock(Streams(PATH), "service", 2.0), Clock(Streams(PATH), "service", 2.0)
    for instant in np.arange(0.0, 49.0, 0.1):
        often.after(float(instant))
    assert often.after(50.0) == once.after(50.0) > 50.0


def test_a_clock_goes_on_from_a_point_missed_by_a_rounding_error():
    clock = Clock(Streams(PATH), "service", 2.0)
    point = clock.after(30.0)
    assert clock.after(math.nextafter(point, 0.0)) == clock.after(point) > point


def test_a_branch_keeps_what_has_happened_and_draws_anew_what_has_not():
    past = World(Streams(PATH))
    service = gamma(3.0, 2.0)
    ends = {job: past.duration("service", job, service, now=float(job)) + job for job in range(40)}
    branches = [BranchedWorld(past, Streams((*PATH, 1, k)), time=20.0) for k in range(3)]
    for job in range(20):
        again = [branch.duration("service", job, service, float(job)) + job for branch in branches]
        if ends[job] <= 20.0:
            assert again == [ends[job]] * 3
        else:
            assert len({ends[job], *again}) == 4
            assert min(again) >= 20.0


def test_the_rest_of_a_running_duration_knows_its_age():
    past = World(Streams(PATH))
    service = gamma(9.0, 2.0)
    running = next(n for n in range(100) if past.number("service", n, service) > 2.2)
    rests = [
        BranchedWorld(past, Streams((*PATH, 1, k)), time=2.0).duration("service", running, service, 0.0)
        for k in range(1000)
    ]
    reference = stats.gamma(9.0, scale=2.0 / 9.0)
    assert stats.kstest(rests, lambda x: 1 - reference.sf(x) / reference.sf(2.0)).pvalue > 0.01
    fixed = BranchedWorld(past, Streams((*PATH, 1, 0)), time=2.0)
    assert fixed.duration("repair", 0, deterministic(10.0), 0.0) == 10.0


def test_after_the_branch_numbers_are_the_futures_except_those_known_before():
    past, future = World(Streams(PATH)), Streams((*PATH, 1, 0))
    world = BranchedWorld(past, future, time=5.0)
    size = exponential(1.0)
    known = world.number("size", 1, size)
    assert known == past.number("size", 1, size)
    world.branch()
    assert world.number("size", 1, size) == known
    assert world.number("size", 2, size) == size.quantile(future.uniform("size", 2))
    assert world.duration("service", 9, size, 6.0) == size.quantile(future.uniform("service", 9))


def test_a_point_at_which_a_branch_decides_is_in_its_past():
    missed = 0
    for number in range(300):
        past, now = World(Streams((*PATH, number))), 1e-3 * number
        point = past.tick("work", 3.0, now)
        reached = now + (point - now)  # as SimPy adds the delay to the present
        missed += reached < point
        branch = BranchedWorld(past, Streams((*PATH, number, 1)), time=reached)
        assert branch.tick("work", 3.0, now) == point
    assert missed > 0


def test_a_branched_clock_has_the_old_points_before_and_new_ones_after():
    past = World(Streams(PATH))
    branches = [BranchedWorld(past, Streams((*PATH, 1, k)), time=20.0) for k in range(2)]
    last, now = 0.0, 0.0
    while now <= 20.0:
        last, now = now, past.tick("service", 2.0, now)
        if now <= 20.0:
            assert [branch.tick("service", 2.0, last) for branch in branches] == [now, now]
    following = [branch.tick("service", 2.0, last) for branch in branches]
    assert len({now, *following}) == 3
    assert min(following) > 20.0
    for branch in branches:
        branch.branch()
    assert [branch.tick("service", 2.0, 20.0) for branch in branches] == following


def test_memory_does_not_grow_with_time_and_what_was_dropped_is_drawn_again(monkeypatch):
    whole = Clock(Streams((5,)), "service", 1.0)
    instants = np.linspace(0.0, 300.0, 200)
    expected = [whole.after(instant) for instant in instants]
    monkeypatch.setattr(streams, "MOST_POINTS", 16)
    monkeypatch.setattr(streams, "MOST_BLOCKS", 2)
    source = Streams((5,))
    clock = Clock(source, "service", 1.0)
    assert [clock.after(instant) for instant in instants] == expected
    assert len(clock._points) <= 17 and len(source._blocks) <= 2
    assert [clock.after(instant) for instant in instants] == expected
    assert Streams((5,)).uniform("x", 7) == source.uniform("x", 7)


def test_tune_is_an_old_name_of_validation():
    with pytest.warns(DeprecationWarning, match="TUNE is now called VALIDATION"):
        assert simulation.TUNE == VALIDATION
    with pytest.raises(AttributeError, match="no attribute 'TUNING'"):
        _ = simulation.TUNING
