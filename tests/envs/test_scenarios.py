"""Drawn parameters: within their ranges, as required, and a function of the seed path."""

from typing import Any

import numpy as np
import pytest

from simdistill.config import ParametersConfig, Ranges
from simdistill.envs.scenarios import begin, draw, examination_path, examination_sets
from simdistill.errors import InputError
from simdistill.simulation import TEST, TRAIN
from simdistill.simulators.queueing import Queueing

RATES = {
    "arrival_rate": {"low": 1.0, "high": 2.4, "decimals": 1},
    "service_rates": [
        {"low": 1.6, "high": 2.6, "decimals": 2},
        {"low": 0.3, "high": 1.0, "decimals": 1},
    ],
}


def ranges(values=RATES, **require) -> Ranges:
    return Ranges.model_validate({"values": values, "require": require})


def drawn(spread, count=100, path=(0, TRAIN, 2)) -> list[Any]:
    return [draw(Queueing, {}, spread, (*path, number)) for number in range(count)]


def test_draws_lie_within_their_ranges_and_requirements():
    sets = drawn(ranges(load={"low": 0.5, "high": 0.85}))
    for params in sets:
        assert 1.0 <= params.arrival_rate <= 2.4
        assert 1.6 <= params.service_rates[0] <= 2.6
        assert 0.3 <= params.service_rates[1] <= 1.0
        assert 0.5 <= params.load <= 0.85
    assert len({params.arrival_rate for params in sets}) > 10
    unrestricted = [params.load for params in drawn(ranges())]
    assert min(unrestricted) < 0.5
    assert max(unrestricted) > 0.85


def test_draws_are_rounded_as_told():
    for params in drawn(ranges()):
        assert round(params.arrival_rate, 1) == params.arrival_rate
        assert round(params.service_rates[0], 2) == params.service_rates[0]
    assert any(round(p.service_rates[0], 1) != p.service_rates[0] for p in drawn(ranges()))


def test_a_seed_path_decides_the_draw():
    assert drawn(ranges()) == drawn(ranges())
    assert drawn(ranges()) != drawn(ranges(), path=(1, TRAIN, 2))
    assert drawn(ranges()) != drawn(ranges(), path=(0, TEST, 2))


def test_what_is_not_drawn_keeps_its_default():
    only = ranges({"arrival_rate": {"low": 1.0, "high": 1.5}})
    params: Any = draw(Queueing, {"service_rates": [3.0, 1.0], "arrival_rate": 9.0}, only, (0,))
    assert params.service_rates == (3.0, 1.0)
    assert params.arrival_rate <= 1.5
    params = draw(Queueing, {"arrival_rate": 9.0}, Ranges(), (0,))
    assert params.arrival_rate == 9.0


def test_starts_spread_over_scales():
    starts = Ranges.model_validate(
        {"values": {"initial_jobs": [{"low": 0, "high": 40, "decimals": 0, "spacing": "log"}] * 2}}
    ).values
    params = Queueing.parse({"arrival_rate": 1.3})
    begun: list[Any] = [begin(Queueing, params, starts, (0, TRAIN, number)) for number in range(300)]
    assert {p.arrival_rate for p in begun} == {1.3}
    jobs = np.array([p.initial_jobs for p in begun])
    assert jobs.min() == 0
    assert 30 < jobs.max() <= 40
    # Half of log(1 + x) up to log(41) is below 5.4.
    assert 0.42 < (jobs <= 5).mean() < 0.58


def test_requirements_that_cannot_hold():
    with pytest.raises(InputError) as caught:
        draw(Queueing, {}, ranges(load={"low": 1.9, "high": 2.0}), (0,))
    message = str(caught.value)
    assert "none of 10,000 drawn parameters of Queueing fulfils 1.9 <= load <= 2.0" in message
    assert "widen the ranges" in message


def test_a_requirement_must_name_a_number():
    for name in ("lode", "service_rates"):
        with pytest.raises(InputError, match=f"require.{name}: Queueing.Params has no number of that name"):
            draw(Queueing, {}, ranges(**{name: {"high": 1.0}}), (0,))


def test_a_drawn_parameter_must_exist():
    with pytest.raises(InputError, match=r"Queueing\.arrivals"):
        draw(Queueing, {}, ranges({"arrivals": {"low": 1.0, "high": 2.0}}), (0,))


def test_an_examination_draws_from_the_test_tree():
    config = ParametersConfig.model_validate(
        {
            "train": {"values": RATES, "require": {"load": {"high": 0.85}}},
            "out_of_distribution": {"values": RATES, "require": {"load": {"low": 0.86, "high": 0.92}}},
        }
    )
    sets: dict[str, Any] = {**examination_sets(Queueing, config, seed=0, count=8)}
    assert {name: len(params) for name, params in sets.items()} == {
        "in_distribution": 8,
        "out_of_distribution": 8,
    }
    assert all(p.load <= 0.85 for p in sets["in_distribution"])
    assert all(0.86 <= p.load <= 0.92 for p in sets["out_of_distribution"])
    assert sets == examination_sets(Queueing, config, seed=0, count=8)
    assert sets != examination_sets(Queueing, config, seed=1, count=8)
    # More sets begin with the same ones.
    assert examination_sets(Queueing, config, 0, 3)["in_distribution"] == sets["in_distribution"][:3]
    assert examination_path(5, 3)[:2] == (5, TEST)
    assert examination_path(5, 3) != examination_path(5, 4)
