"""Exact solution of identical servers that serve two classes first come, first served."""

import math
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve


def first_come_jobs(params: Any) -> np.ndarray:
    """Returns the mean number of jobs in the system per class, for identical servers in order of arrival.

    Solves the chain of (jobs in the system, jobs of class 1 in service), which suffices because the class of
    a waiting job is independent of everything else.
    """
    servers, first, second = len(params.skills) // 2, *params.arrival_rates
    first_rate, second_rate = params.service_rates[:2]
    share = first / (first + second)
    size = servers + math.ceil(2 * math.log(1e-13) / math.log(params.load))

    def steps(jobs: int, ones: int):
        """Yields the rate and next state of each event."""
        busy = min(jobs, servers)
        if jobs < servers:
            yield first, (jobs + 1, ones + 1)
            yield second, (jobs + 1, ones)
        elif jobs < size:
            yield first + second, (jobs + 1, ones)
        for gone, speed in ((1, ones * first_rate), (0, (busy - ones) * second_rate)):
            next_is_one = share if jobs > servers else 0.0
            yield speed * next_is_one, (jobs - 1, ones - gone + 1)
            yield speed * (1.0 - next_is_one), (jobs - 1, ones - gone)

    states = [(jobs, ones) for jobs in range(size + 1) for ones in range(min(jobs, servers) + 1)]
    number = {state: n for n, state in enumerate(states)}
    found = [(number[s], number[to], speed) for s in states for speed, to in steps(*s) if speed]
    source, target, speeds = map(np.array, zip(*found, strict=True))
    rates_SS = sparse.csr_matrix((speeds, (source, target)), shape=(len(states),) * 2)
    balance_SS = (rates_SS - sparse.diags(np.asarray(rates_SS.sum(axis=1)).ravel())).T.tocsc()
    others_S = spsolve(balance_SS[1:, 1:], -balance_SS[1:, 0].toarray().ravel())
    weight_S = np.concatenate([[1.0], np.asarray(others_S)])
    waiting = weight_S @ [max(jobs - servers, 0) for jobs, _ in states] / weight_S.sum()
    arrivals_C = np.array(params.arrival_rates)
    return arrivals_C * (waiting / arrivals_C.sum() + 1.0 / np.array(params.service_rates[:2]))
