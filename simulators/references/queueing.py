"""Exact solutions of routing to parallel servers."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any

import numpy as np
from scipy import sparse
from scipy.optimize import brentq

from simdistill.errors import InputError
from simdistill.mdp import MarkovProcess, evaluate, optimum, tabulate
from simdistill.simulation import Experiment, KnownCase, Policy, letters
from simdistill.simulation.streams import Streams
from simdistill.simulators.queueing import (
    Queueing,
    Split,
    Threshold,
    best_split,
    join_shortest_queue,
    shortest_expected_delay,
    with_room,
)

MOST_STATES = 10_000
"""Default for the largest number of states of a chain; with more servers, each has less room."""
MOST_SOLVED = 60_000
"""Largest number of states of the chains that known answers are compared with."""
NEGLIGIBLE = 1e-7
"""Approximate probability of a full chain up to which the chain may be compared with a known answer."""


def limits(params: Any, size: int, states: int = MOST_STATES) -> list[int]:
    """Returns the largest number of jobs at each server in a truncated chain.

    One or two servers have room for `size` jobs each. With more servers, each server's room is a compromise
    between equal queues and queues in proportion to the service rates: sensible policies lie in between.
    """
    rates = np.array(params.service_rates)
    is_open = rates > 0
    most = np.where(is_open, size, 0)
    if is_open.sum() > 2:
        mean_rate = np.exp(np.log(rates[is_open]).mean())
        shared = states ** (1 / is_open.sum()) * np.sqrt(rates / mean_rate) - 1
        most = np.minimum(most, np.maximum(shared.astype(int), 1))
        most[~is_open] = 0
    return np.minimum(most, params.capacity or size).tolist()


def chain(params: Any, size: int, states: int = MOST_STATES) -> MarkovProcess:
    """Returns the chain of the numbers of jobs, with at most `size` jobs at each server.

    A job sent to a server at its truncation limit is lost. With more than two servers there is so little room
    that an optimal policy would lose jobs on purpose; such a job then goes to the next best server. A server
    that is full by its capacity isn't at the truncation's boundary.
    """
    most = limits(params, size, states)
    shape = tuple(limit + 1 for limit in most)
    jobs_SN = np.indices(shape).reshape(len(shape), -1).T
    stride_N = np.array([int(np.prod(shape[server + 1 :])) for server in range(len(shape))])
    index_S = np.arange(len(jobs_SN))
    rows, columns, rates = [], [], []
    is_open = [server for server, rate in enumerate(params.service_rates) if rate]
    for server in is_open:
        busy_S = jobs_SN[:, server] > 0
        rows.append(index_S[busy_S])
        columns.append(index_S[busy_S] - stride_N[server])
        rates.append(np.full(busy_S.sum(), params.service_rates[server]))
    place = (np.concatenate(rows), np.concatenate(columns))
    fixed = Queueing.known(params)
    names = letters(len(shape))
    full_SC = (jobs_SN == most)[:, is_open]
    next_SC = np.where(full_SC, index_S[:, None], index_S[:, None] + stride_N[is_open])
    if len(is_open) > 2:
        delay_SC = (jobs_SN[:, is_open] + 1) / np.array(params.service_rates)[is_open]
        next_best_S = np.where(full_SC, np.inf, delay_SC).argmin(axis=1)
        next_SC = np.where(full_SC, next_SC[index_S, next_best_S][:, None], next_SC)
    cost_S = jobs_SN.sum(axis=1).astype(float)
    legal_SC = None
    truncated_SC = full_SC
    if params.capacity is not None:
        refusing_SC = jobs_SN[:, is_open] == params.capacity
        truncated_SC = full_SC & ~refusing_SC
        refused_S = refusing_SC.all(axis=1)
        cost_S += params.arrival_rate * params.refusal_cost * refused_S
        legal_SC = ~refusing_SC
        legal_SC[refused_S, 0] = True
        fallback_S = next_SC[index_S, legal_SC.argmax(axis=1)]
        next_SC = np.where(legal_SC, next_SC, fallback_S[:, None])
    return MarkovProcess(
        states=[{**fixed, "jobs": jobs} for jobs in jobs_SN.tolist()],
        labels=[names[server] for server in is_open],
        cost_S=cost_S,
        passive_SS=sparse.csr_matrix((np.concatenate(rates), place), shape=(len(jobs_SN),) * 2),
        decision_rate=params.arrival_rate,
        next_SC=next_SC,
        boundary_S=truncated_SC.any(axis=1),
        legal_SC=legal_SC,
    )


def relaxation(arrival_rate: float, service_rate: float) -> float:
    """Returns the relaxation time of an M/M/1 queue (Cohen, The Single Server Queue, II.2)."""
    return 1.0 / (math.sqrt(service_rate) - math.sqrt(arrival_rate)) ** 2


def fine(params: Any) -> tuple[int, int]:
    """Returns the room at each server and the number of states with which a chain is almost never full."""
    size = math.ceil(math.log(1e-9) / math.log(params.load)) if params.load < 1 else 240
    few = sum(rate > 0 for rate in params.service_rates) <= 3
    return min(240, max(40, size)), MOST_SOLVED if few else MOST_STATES


@dataclass
class Optimal:
    """The optimal policy of the truncated chain; in states beyond the chain it decides as at the boundary."""

    params: Any

    @cached_property
    def process(self) -> MarkovProcess:
        return chain(self.params, *fine(self.params))

    @cached_property
    def policy_SC(self) -> np.ndarray:
        """The policy's table over the states of the chain."""
        return optimum(self.process, tabulate(self.process, shortest_expected_delay))[0]

    @cached_property
    def table(self) -> np.ndarray:
        """Index of the best choice for each combination of jobs; each server has an axis."""
        shape = [limit + 1 for limit in limits(self.params, *fine(self.params))]
        return self.policy_SC.argmax(axis=1).reshape(shape)

    def __call__(self, state: dict, choices: Sequence[str]) -> str:
        place = tuple(min(jobs, most - 1) for jobs, most in zip(state["jobs"], self.table.shape, strict=True))
        open_servers = [server for server, rate in enumerate(state["service_rates"]) if rate]
        return letters(len(state["jobs"]))[open_servers[self.table[place]]]


class RoundRobin:
    """Sends the jobs to the servers in turn."""

    def __init__(self):
        self._count = -1

    def with_streams(self, streams: Streams) -> "RoundRobin":
        """Returns a new policy that begins with the first server."""
        return RoundRobin()

    def __call__(self, state: dict, choices: Sequence[str]) -> str:
        self._count += 1
        return choices[self._count % len(choices)]


def ties_at_random(key: Callable[[int, float], float], state: dict, choices: Sequence[str]) -> list[float]:
    """Returns equal shares for the servers whose `key` of (jobs, rate) is smallest; 0 for the others."""
    keys = [key(jobs, rate) for jobs, rate in with_room(state)]
    least = [float(value <= min(keys) + 1e-12) for value in keys]
    return [share / sum(least) for share in least]


def jobs_there(jobs: int, rate: float) -> float:
    return jobs


def expected_delay(jobs: int, rate: float) -> float:
    return (jobs + 1) / rate


def given(shares: Sequence[float], state: dict, choices: Sequence[str]) -> Sequence[float]:
    """Returns `shares` in every state."""
    return shares


def policy(case: KnownCase, params: Any) -> tuple[Policy, Sequence[float] | None]:
    """Returns the policy of a case, and the servers' shares of jobs if the policy ignores the queues."""
    rates, match_on = params.service_rates, dict(case.policy)
    start = {"arrival_rate": params.arrival_rate, "service_rates": rates, "jobs": [0] * len(rates)}
    tie_at_random = match_on.get("tie") == "random"
    match match_on:
        case {"name": "optimal"}:
            return Optimal(params), None
        case {"name": "jsq"}:
            return Split(partial(ties_at_random, jobs_there)) if tie_at_random else join_shortest_queue, None
        case {"name": "sed"}:
            at_random = Split(partial(ties_at_random, expected_delay))
            return at_random if tie_at_random else shortest_expected_delay, None
        case {"name": "threshold", "threshold": lead}:
            return Threshold(lead), None
        case {"name": "threshold"}:
            return Threshold(), None
        case {"name": "static", "split": "best"}:
            return Split(best_split), best_split(start, letters(len(rates)))
        case {"name": "static", "split": [*shares]}:
            shares = [share / sum(shares) for share in shares]
        case {"name": "static", "split": float() | int() as first} if len(rates) == 2:
            shares = [first, 1.0 - first]
        case {"name": "random"} | {"name": "static", "split": "equal"}:
            shares = [1.0 / len(rates)] * len(rates)
        case {"name": "static", "split": "proportional"}:
            shares = [rate / sum(rates) for rate in rates]
        case {"name": "round_robin"}:
            return RoundRobin(), None
        case _:
            raise InputError(f"case {case.id}: routing has no policy {match_on}")
    return Split(partial(given, shares)), shares


def experiment(case: KnownCase) -> Experiment:
    """Returns the experiment for a known case of the family `routing`."""
    params = Queueing.parse(case.parameters)
    decides, shares = policy(case, params)
    if case.run["kind"] == "unstable":
        return Experiment(params, decides, horizon=2000.0, growing={"growth_rate": "in_system"})
    solved, exact = solver(params, decides, shares), {}
    if solved is not None:
        exact = {
            "mean_in_system": lambda: solved()[0],
            "p_blocked": lambda: solved()[1],
            "mean_time_in_system": lambda: solved()[0] / (params.arrival_rate * (1.0 - solved()[1])),
        }
    crowded = params.capacity or math.ceil(2 * params.load / (1 - params.load))
    return Experiment(
        params,
        decides,
        solved=exact,
        warm_up=8 * slowest(params, shares),
        horizon=100 * slowest(params, shares),
        other_start=params.model_copy(
            update={"initial_jobs": tuple(crowded if rate else 0 for rate in params.service_rates)}
        ),
    )


def slowest(params: Any, shares: Sequence[float] | None) -> float:
    """Returns the longest relaxation time of the queues; they count as one if the router looks at them."""
    total = sum(params.service_rates)
    if params.capacity is not None:
        return params.capacity / total + 10 / min(rate for rate in params.service_rates if rate)
    if shares is None:
        return relaxation(params.arrival_rate, total)
    split = zip(shares, params.service_rates, strict=True)
    return max(relaxation(params.arrival_rate * share, rate) for share, rate in split if share)


def solver(
    params: Any, decides: Policy, shares: Sequence[float] | None
) -> Callable[[], tuple[float, float]] | None:
    """Returns a function that computes mean number in system and probability of refusal, or None."""
    rates, arrival_rate = params.service_rates, params.arrival_rate
    if params.capacity is None and shares is not None:
        loads = [arrival_rate * share / rate for share, rate in zip(shares, rates, strict=True) if share]
        return lambda: (sum(load / (1 - load) for load in loads), 0.0)  # M/M/1 queues of their own
    if params.capacity is None and isinstance(decides, RoundRobin):
        return lambda: (sum(erlang_arrivals(arrival_rate, len(rates), rate) for rate in rates), 0.0)
    room = sum(limits(params, *fine(params)))
    too_coarse = params.capacity is None and params.load**room > NEGLIGIBLE
    if too_coarse or isinstance(decides, RoundRobin):
        return None
    return lru_cache(partial(by_chain, params, decides))


def by_chain(params: Any, decides: Policy) -> tuple[float, float]:
    """Returns a policy's mean number in the system and probability of refusal, by the truncated chain."""
    if isinstance(decides, Optimal):
        process, policy_SC = decides.process, decides.policy_SC
    else:
        process = chain(params, *fine(params))
        policy_SC = tabulate(process, decides)
    stationary_S = evaluate(process, policy_SC).stationary_S
    jobs_SN = np.array([state["jobs"] for state in process.states])
    is_open = np.array(params.service_rates) > 0
    full_S = (jobs_SN[:, is_open] == params.capacity).all(axis=1)
    return float(stationary_S @ jobs_SN.sum(axis=1)), float(stationary_S @ full_S)


def erlang_arrivals(arrival_rate: float, phases: int, service_rate: float) -> float:
    """Returns the mean number of jobs at a server that gets every `phases`-th job.

    The server is a GI/M/1 queue (Kleinrock, Queueing Systems, volume 1, section 6.4).
    """

    def fixed_point(waiting: float) -> float:
        gap = arrival_rate / (arrival_rate + service_rate * (1.0 - waiting))
        return gap**phases - waiting

    waits: Any = brentq(fixed_point, 0.0, 1.0 - 1e-9)
    return arrival_rate / phases / service_rate / (1.0 - waits)
