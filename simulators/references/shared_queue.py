"""Exact solutions of servers that share one queue."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any

import numpy as np
from scipy import sparse

from simdistill.errors import InputError
from simdistill.mdp import DecisionProcess, evaluate, optimum, tabulate
from simdistill.simulation import WAIT, Experiment, Exponential, KnownCase, Policy, letters
from simdistill.simulation.distributions import named
from simdistill.simulation.replication import Replication
from simdistill.simulators.references.queueing import relaxation
from simdistill.simulators.shared_queue import SharedQueue, Threshold, fast_only, use_every_server

FINE = 2000
"""Largest number of waiting jobs in the chains that known answers are compared with."""
MOST_STATES = 40_000
"""Largest number of combinations of waiting jobs and busy servers in a chain."""
CHAIN_MEASURES = (
    "p_blocked",
    "mean_in_queue",
    "mean_in_system",
    "mean_wait_in_queue",
    "mean_time_in_system",
    "utilisation",
    "throughput",
)


def chain(params: Any, size: int) -> DecisionProcess:
    """Returns the process embedded at decisions and events: arrivals (also blocked ones) and ends of service.

    If a job waits and a server is idle that isn't one of the fastest, the choice of this server leads at once
    to the state in which it has begun the job; the choice to wait leads to the next event. A job that arrives
    when `size` jobs wait is lost: these states are the truncation's boundary.

    Raises:
        InputError: If the work isn't exponential, or there are too many servers.
    """
    work = named(params.work)
    if not isinstance(work, Exponential):
        raise InputError(f"SharedQueue.work = {params.work!r}: only exponential work makes a Markov chain")
    rates = np.array(params.service_rates) / work.mean
    count = len(rates)
    order = sorted(range(count), key=lambda server: -rates[server])
    fastest = [server for server in order if rates[server] == rates.max()]
    most = size if params.capacity is None else min(size, params.capacity)
    room = math.inf if params.capacity is None else params.capacity
    if 2**count * size > MOST_STATES:
        raise InputError(f"SharedQueue.service_rates: the chain of {count} servers would be too large")
    places: list[tuple[int, tuple[int, ...]]] = [
        (waiting, busy)
        for waiting in range(most + 1)
        for busy in itertools.product((0, 1), repeat=count)
        if waiting + sum(busy) <= room and (not waiting or all(busy[server] for server in fastest))
    ]
    index = {place: row for row, place in enumerate(places)}
    names = letters(count)
    labels = [*names, WAIT]
    legal_SC = np.zeros((len(places), count + 1), dtype=bool)
    legal_SC[:, count] = True
    using: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    events: list[tuple[int, int, float]] = []

    def settled(waiting: int, busy: tuple[int, ...]) -> int:
        """Returns the index of the state in which the fastest idle servers have begun waiting jobs."""
        for server in fastest:
            if waiting and not busy[server]:
                waiting, busy = waiting - 1, _with(busy, server, 1)
        return index[waiting, busy]

    for row, (waiting, busy) in enumerate(places):
        idle = [server for server in order if not busy[server]]
        if waiting and idle:
            legal_SC[row, idle[0]] = True
            using[idle[0]].append((row, index[waiting - 1, _with(busy, idle[0], 1)]))
        lost = waiting + sum(busy) >= room or waiting == most
        to = row if lost else settled(waiting + 1, busy)
        events.append((row, to, params.arrival_rate))
        events += [
            (row, settled(waiting, _with(busy, server, 0)), rates[server])
            for server in range(count)
            if busy[server]
        ]
    rows, columns, weights = map(np.array, zip(*events, strict=True))
    leaving_S = np.bincount(rows, weights)
    shape = (len(places), len(places))
    onward = sparse.csr_matrix((weights / leaving_S[rows], (rows, columns)), shape=shape)
    inside_S = np.array([waiting + sum(busy) for waiting, busy in places])
    cost_S = inside_S + params.arrival_rate * params.refusal_cost * (inside_S >= room)
    until_event_C = np.arange(count + 1) == count
    fixed = SharedQueue.known(params)
    return DecisionProcess(
        states=[{**fixed, "waiting": waiting, "busy": list(busy)} for waiting, busy in places],
        labels=labels,
        legal_SC=legal_SC,
        moves=[*(_at_once(pairs, shape) for pairs in using), onward],
        cost_SC=(cost_S / leaving_S)[:, None] * until_event_C,
        time_SC=(1.0 / leaving_S)[:, None] * until_event_C,
        boundary_S=np.array([waiting == most and waiting + sum(busy) < room for waiting, busy in places]),
    )


def _with(busy: tuple[int, ...], server: int, state: int) -> tuple[int, ...]:
    return (*busy[:server], state, *busy[server + 1 :])


def _at_once(pairs: Sequence[tuple[int, int]], shape: tuple[int, int]) -> sparse.csr_matrix:
    rows, columns = np.array(pairs, dtype=int).reshape(-1, 2).T
    return sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)


@dataclass
class Optimal:
    """The optimal policy of the truncated chain; if more jobs wait, it decides as at the boundary."""

    params: Any

    @cached_property
    def process(self) -> DecisionProcess:
        return chain(self.params, min(FINE, MOST_STATES // 2 ** len(self.params.service_rates)))

    @cached_property
    def policy_SC(self) -> np.ndarray:
        """The policy's table over the states of the chain."""
        return optimum(self.process, tabulate(self.process, use_every_server))[0]

    @cached_property
    def table(self) -> Mapping[tuple[int, ...], str]:
        """Number of waiting jobs, and whether each server is busy -> label of the best choice."""
        choices = zip(self.process.states, self.policy_SC.argmax(axis=1).tolist(), strict=True)
        labels = list(self.process.labels)
        return {(s["waiting"], *s["busy"]): labels[choice] for s, choice in choices}

    def __call__(self, state: dict, choices: Sequence[str]) -> str:
        most = self.process.states[-1]["waiting"]
        return self.table[min(state["waiting"], most), *state["busy"]]

    @property
    def threshold(self) -> int:
        """Smallest number of waiting jobs at which a slower server is used while the fastest are busy."""
        rates = self.params.service_rates
        busy = [int(rate == max(rates)) for rate in rates]
        used = (n for n in itertools.count(1) if self.table[n, *busy] != WAIT)
        return next(used)


@dataclass(frozen=True)
class BirthAndDeath:
    """Steady state of an M/M/c/K queue (Gross et al., Fundamentals of Queueing Theory, sections 3.3 to 3.5).

    Attributes:
        arrival_rate: Number of arriving jobs per unit of time.
        service_rate: Number of jobs that a server serves per unit of time.
        servers: Number of servers c.
        capacity: Largest number K of jobs inside; None for no limit.
    """

    arrival_rate: float
    service_rate: float
    servers: int
    capacity: int | None

    @cached_property
    def probabilities_N(self) -> np.ndarray:
        """Probability of N = 0, 1, … jobs inside; truncated if there is no limit."""
        load = self.arrival_rate / self.service_rate / self.servers
        most = self.capacity if self.capacity is not None else self.servers + math.ceil(-40 / math.log(load))
        leaving_N = np.minimum(np.arange(1, most + 1), self.servers) * self.service_rate
        log_N = np.concatenate([[0.0], np.cumsum(np.log(self.arrival_rate / leaving_N))])
        weight_N = np.exp(log_N - log_N.max())
        return weight_N / weight_N.sum()

    def measures(self) -> dict[str, float]:
        """Returns all measures by name; waits and times are those of admitted jobs."""
        inside_N = np.arange(len(self.probabilities_N))
        blocked = 0.0 if self.capacity is None else float(self.probabilities_N[-1])
        admitted = self.arrival_rate * (1 - blocked)
        waits_N = (inside_N >= self.servers) & (inside_N < (self.capacity or math.inf))
        in_queue = float(self.probabilities_N @ np.maximum(inside_N - self.servers, 0))
        in_system = float(self.probabilities_N @ inside_N)
        return {
            "p_wait": float(self.probabilities_N[waits_N].sum()) / (1 - blocked),
            "p_blocked": blocked,
            "mean_in_queue": in_queue,
            "mean_in_system": in_system,
            "mean_wait_in_queue": in_queue / admitted,
            "mean_time_in_system": in_system / admitted,
            "utilisation": admitted / (self.servers * self.service_rate),
            "throughput": admitted,
        }


def pollaczek_khinchine(arrival_rate: float, mean: float, variance: float) -> dict[str, float]:
    """Returns the measures of an M/G/1 queue (Gross et al., Fundamentals of Queueing Theory, section 5.1)."""
    load = arrival_rate * mean
    wait = arrival_rate * (variance + mean**2) / (2 * (1 - load))
    return {
        "p_wait": load,
        "p_blocked": 0.0,
        "mean_in_queue": arrival_rate * wait,
        "mean_in_system": arrival_rate * (wait + mean),
        "mean_wait_in_queue": wait,
        "mean_time_in_system": wait + mean,
        "utilisation": load,
        "throughput": arrival_rate,
    }


def chain_measures(params: Any, decides: Policy) -> dict[str, float]:
    """Returns the values of `CHAIN_MEASURES` under a policy, calculated by the chain."""
    if isinstance(decides, Optimal):
        process, policy_SC = decides.process, decides.policy_SC
    else:
        process = Optimal(params).process
        policy_SC = tabulate(process, decides)
    time_S = evaluate(process, policy_SC).stationary_S * (policy_SC * process.time_SC).sum(axis=1)
    time_S = time_S / time_S.sum()
    waiting_S = np.array([state["waiting"] for state in process.states])
    busy_S = np.array([sum(state["busy"]) for state in process.states])
    full_S = waiting_S + busy_S >= (params.capacity or math.inf)
    admitted = params.arrival_rate * float(1 - time_S @ full_S)
    in_queue, busy = float(time_S @ waiting_S), float(time_S @ busy_S)
    inside = in_queue + busy
    values = (
        float(time_S @ full_S),
        in_queue,
        inside,
        in_queue / admitted,
        inside / admitted,
        busy / len(params.service_rates),
        admitted,
    )
    return dict(zip(CHAIN_MEASURES, values, strict=True))


def work(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a case's service time in the form that `distributions.named` takes.

    A case may give the spread as `cv`, its square `scv`, `sd` or `variance`; the mean of an exponential or
    Erlang distribution as `rate`; the means of a hyperexponential one as `rates`, or both its branches by
    mean and spread (balanced means).
    """
    fields = dict(spec)
    name = fields.get("name")
    if "rate" in fields:
        fields["mean"] = 1 / fields.pop("rate")
    if "rates" in fields:
        fields["means"] = [1 / rate for rate in fields.pop("rates")]
    squares = {
        "cv": lambda value: value**2,
        "scv": lambda value: value,
        "sd": lambda value: (value / fields["mean"]) ** 2,
        "variance": lambda value: value / fields["mean"] ** 2,
    }
    scv = next((square(fields.pop(key)) for key, square in squares.items() if key in fields), None)
    if name == "lognormal" and "sigma" in fields:
        spread = fields["sigma"] ** 2
        return {
            "name": name,
            "mean": math.exp(fields["mu"] + spread / 2),
            "cv": math.sqrt(math.expm1(spread)),
        }
    if name == "deterministic" and "mean" in fields:
        return {"name": name, "value": fields["mean"]}
    if name == "hyperexponential" and scv is not None:
        first = (1 + math.sqrt((scv - 1) / (scv + 1))) / 2
        shares = (first, 1 - first)
        means = [fields["mean"] / (2 * share) for share in shares]
        return {"name": name, "probabilities": list(shares), "means": means}
    if name == "uniform" and "mean" in fields and scv is not None:
        half = fields["mean"] * math.sqrt(3 * scv)
        return {"name": name, "low": fields["mean"] - half, "high": fields["mean"] + half}
    if name in ("gamma", "erlang") and scv is not None:
        return {"name": name, "shape": 1 / scv, "mean": fields["mean"]}
    return fields if scv is None else {**fields, "cv": math.sqrt(scv)}


def experiment(case: KnownCase) -> Experiment:
    """Returns the experiment for a known case of the families `mmck`, `mg1` and `slow_server`."""
    parameters = case.parameters
    given = {"arrival_rate": parameters["arrival_rate"], "capacity": parameters.get("capacity")}
    match case.family:
        case "mmck":
            given["service_rates"] = (parameters["service_rate"],) * parameters["servers"]
        case "mg1":
            given |= {"service_rates": (1.0,), "work": work(parameters["service"])}
        case _:
            given["service_rates"] = parameters["service_rates"]
    params: Any = SharedQueue.parse(given)
    decides = policy(case, params) if case.family == "slow_server" else use_every_server
    if case.run["kind"] == "unstable":
        return Experiment(params, decides, horizon=2000.0, growing={"growth_rate": "in_system"})
    forgets = memory(params, alone=decides is fast_only)
    crowd = params.capacity or len(params.service_rates) + math.ceil(2 * params.load / (1 - params.load))
    return Experiment(
        params,
        decides,
        measures={"mean_wait": "wait_in_queue", "throughput": partial(throughput, params.arrival_rate)},
        solved=solved(case.family, params, decides),
        warm_up=8 * forgets,
        horizon=min(100 * forgets, max(20 * forgets, 1e5 / params.arrival_rate)),
        other_start=params.model_copy(update={"initial_waiting": crowd}),
    )


def policy(case: KnownCase, params: Any) -> Policy:
    """Returns the policy of a case with a slow server."""
    match dict(case.policy):
        case {"name": "optimal"}:
            return Optimal(params)
        case {"name": "fast_only"}:
            return fast_only
        case {"name": "threshold", "threshold": waiting} | {"name": "threshold", "T": waiting}:
            return Threshold(waiting)
        case {"name": "threshold"}:
            return Threshold()
        case {"name": "use_every_server" | "work_conserving" | "never_idle" | "always"}:
            return use_every_server
    raise InputError(f"case {case.id}: slow_server has no policy {dict(case.policy)}")


def solved(family: str, params: Any, decides: Any) -> dict[str, Callable[[], float]]:
    """Returns the functions that calculate each measure exactly, by measure."""
    rates = params.service_rates
    if family == "mg1":
        if params.capacity is not None:
            return {}
        service = named(params.work)
        found = pollaczek_khinchine(params.arrival_rate, service.mean, service.variance)
    elif family == "mmck":
        found = BirthAndDeath(params.arrival_rate, rates[0], len(rates), params.capacity).measures()
    else:
        once = lru_cache(partial(chain_measures, params, decides))
        exact: dict[str, Callable[[], float]] = {
            measure: partial(_one, once, measure) for measure in CHAIN_MEASURES
        }
        if isinstance(decides, Optimal):
            exact["threshold"] = lambda: decides.threshold
        elif isinstance(decides, Threshold) and decides.waiting is not None:
            exact["threshold"] = partial(float, decides.waiting)
        return exact
    found["mean_wait"] = found["mean_wait_in_queue"]
    return {measure: partial(found.__getitem__, measure) for measure in found}


def _one(measures: Callable[[], Mapping[str, float]], measure: str) -> float:
    return measures()[measure]


def memory(params: Any, alone: bool) -> float:
    """Returns the approximate time in which the queue forgets its initial state.

    Args:
        params: Parameters of the system.
        alone: Whether only the fastest servers are used.
    """
    rates, service = params.service_rates, named(params.work)
    used = [rate for rate in rates if rate == max(rates)] if alone else rates
    spread = (1 + service.variance / service.mean**2) / 2
    finite = math.inf if params.capacity is None else (params.capacity + 1) ** 2 / params.arrival_rate
    total = sum(used) / service.mean
    queue = math.inf if total == params.arrival_rate else relaxation(params.arrival_rate, total) * spread
    return min(queue, finite) + 2 * service.mean / min(rates)


def throughput(arrival_rate: float, found: Replication) -> float:
    """Returns the number of admitted jobs per unit of time."""
    return arrival_rate * (1 - found.measures["blocked"])
