"""Truncations of unbounded processes."""

import pytest

from simdistill.errors import InputError
from simdistill.mdp import fitting_size, uniform_policy
from simdistill.simulators.queueing import Queueing


def test_a_truncation_grows_until_it_is_not_felt():
    sizes = []

    def build(size):
        sizes.append(size)
        return Queueing.markov({"arrival_rate": 0.8, "service_rates": (1.0,)}, size)

    fit = fitting_size(build, uniform_policy, negligible=1e-7, sizes=(20, 40, 80, 160))
    assert fit is not None
    assert sizes == [20, 40, 80]  # 0.2 * 0.8 ** 80 is the first below 1e-7
    assert fit[1].boundary <= 1e-7
    assert len(fit[0].states) == 81


def test_growing_queues_have_no_truncation():
    # Half of the arrivals, one a minute, go to the server that does half a job a minute.
    assert fitting_size(lambda size: Queueing.markov({}, size), uniform_policy, sizes=(20, 40)) is None
    with pytest.raises(InputError):
        fitting_size(lambda size: Queueing.markov({}, size), uniform_policy, sizes=())
