"""Forecasts: what the simulator's branches say about an outcome, against the exact distribution."""

import numpy as np
import pytest
from scipy.linalg import expm

from simdistill.errors import InputError
from simdistill.simulation import ProcessModel
from simdistill.simulation.forecasts import Forecast, distribution
from simdistill.simulation.outcomes import outcomes
from simdistill.simulation.situations import Episode, Situation
from simdistill.simulators.queueing import Queueing, join_shortest_queue

SOON = Forecast("How many jobs are in the system in 2 minutes?", "in_system", 2.0, (1, 2, 4))


def situation(model: ProcessModel, decisions: int) -> Situation:
    episode = Episode(model)
    while (found := episode.advance()) is not None and len(found.actions) < decisions:
        episode.answer(join_shortest_queue(found.state, found.choices))
    assert found is not None
    return found


def test_buckets_and_their_labels():
    assert SOON.labels == ["below 1", "1", "2-3", "4 or more"]
    assert [SOON.bucket(number) for number in (0, 0.9, 1, 3.5, 4, 99)] == [0, 0, 1, 2, 3, 3]
    assert Forecast("?", "wait", 1.0, (0.5, 2.0)).labels == ["below 0.5", "0.5 to 2", "2 or more"]


@pytest.mark.parametrize(("edges", "after"), [((), 1.0), ((2, 1), 1.0), ((1, 1), 1.0), ((1,), 0.0)])
def test_what_makes_no_forecast_is_reported(edges, after):
    with pytest.raises(InputError, match="forecast 'How many"):
        Forecast("How many?", "in_system", after, edges)


def test_branches_agree_with_the_chain():
    # One server: an M/M/1 queue, whose number of jobs after two minutes is a matrix exponential.
    parameters = {"arrival_rate": 1.0, "service_rates": (1.5, 0.1)}
    where = situation(Queueing(parameters, (3, 1)), 0)
    size, arrivals, services = 60, 1.0, 1.5
    rates_SS = np.diag([arrivals] * (size - 1), 1) + np.diag([services] * (size - 1), -1)
    rates_SS -= np.diag(rates_SS.sum(axis=1))
    number = sum(where.state["jobs"]) + 1  # the job that is being sent
    exact_S = expm(rates_SS * SOON.after)[number]
    exact_B = np.bincount([SOON.bucket(n) for n in range(size)], exact_S, minlength=4)
    [buckets_K] = outcomes(Queueing, where, lambda state, choices: "A", [SOON], 2_000)
    found_B = distribution(buckets_K, 4)
    assert np.abs(found_B - exact_B).max() < 4 * np.sqrt(0.25 / 2_000)


def test_one_future_serves_forecasts_of_several_times():
    where = situation(Queueing({}, (3, 1)), 20)
    later = Forecast("?", "in_system", 5.0, (1, 2, 4))
    share = Forecast("?", "time_in_system", 5.0, (1.0, 2.0), reading="mean")
    together = outcomes(Queueing, where, join_shortest_queue, [later, SOON, share], 20)
    apart = [outcomes(Queueing, where, join_shortest_queue, [one], 20)[0] for one in (later, SOON, share)]
    for first, second in zip(together, apart, strict=True):
        assert first.tolist() == second.tolist()


def test_an_unknown_measure_is_reported():
    where = situation(Queueing({}, (3, 1)), 2)
    for reading in ("last", "sum"):
        with pytest.raises(InputError, match=r"Queueing has no .*'patients'"):
            outcomes(Queueing, where, join_shortest_queue, [Forecast("?", "patients", 1.0, (1,), reading)], 2)


def test_nothing_is_called_impossible():
    found_B = distribution(np.array([1, 1, 1]), 3)
    assert found_B.min() > 0 and found_B.sum() == pytest.approx(1.0)
    assert found_B.argmax() == 1
