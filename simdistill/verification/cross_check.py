"""A cross-check with Ciw, an independent simulator of queueing networks.

Ciw (Palmer, Knight, Harper and Hawa, Journal of Simulation 13, 2019) shares no code with simdistill's
simulators; both only read the same case. If a simulator misreads the case, the confidence intervals disagree.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import numpy as np

from simdistill.errors import InputError
from simdistill.simulation import KnownCase
from simdistill.verification.item import Item
from simdistill.verification.verdict import Row, of_means

CUSTOMERS, REPLICATIONS = 6_000, 20
"""Number of customers per replication after the warm-up, and of replications; small, as Ciw is slow."""

SOURCE = "Ciw, independently"

PREEMPT = "resample"
"""Ciw's option for an interrupted service; exponential services are memoryless, so any option is right."""


@dataclass(frozen=True)
class Network:
    """A queueing network in Ciw's terms.

    Attributes:
        arguments: Arguments of `ciw.create_network`.
        rate: Number of arrivals per unit of time.
        costs: Holding cost of a customer per unit of time, by class.
        entry: Numbers of the nodes that only route customers; customers there aren't counted.
    """

    arguments: Mapping[str, Any]
    rate: float
    costs: Mapping[str, float] = field(default_factory=dict)
    entry: frozenset[int] = frozenset()


def require_ciw() -> None:
    """Checks that Ciw is installed.

    Raises:
        InputError: If Ciw isn't installed; the message says how to install it.
    """
    try:
        import ciw  # noqa: F401
    except ImportError:
        raise InputError("--cross-check needs Ciw; install it with: pip install 'simdistill[ciw]'") from None


def cross_check(plan: tuple[Item, list[Row]]) -> list[Row]:
    """Simulates a case in Ciw, and pairs Ciw's estimates with the simulator's.

    Args:
        plan: The case, and the simulator's rows for this case.

    Returns:
        A row for each quantity that both measure, with the simulator's estimate as the known value and Ciw's
        as the simulated one. Empty if Ciw can't express the case.
    """
    item, rows = plan
    network = network_of(item.case)
    ours = {row.quantity: row.simulated for row in rows if row.simulated and row.quantity in MEASURES}
    if network is None or not ours:
        return []
    runs = _runs(network, item.experiment().warm_up, item.case.id)
    found = []
    for quantity, estimate in ours.items():
        row = Row(item.name, item.case.id, quantity, estimate.mean, 0.0, SOURCE, value_error=estimate.error)
        row.simulated = of_means(np.array([MEASURES[quantity](network, run) for run in runs]))
        found.append(row)
    return found


def network_of(case: KnownCase) -> Network | None:
    """Returns the Ciw network of a case, or None if Ciw can't express the case."""
    if case.run.get("kind") != "steady_state" or case.family not in FAMILIES:
        return None
    return FAMILIES[case.family](case)


@dataclass(frozen=True)
class _Run:
    """Records of one replication after the warm-up.

    Attributes:
        records: Records of completed services and of rejected arrivals.
        time: Simulated time that the records cover.
    """

    records: Sequence[Any]
    time: float

    def served(self, job_class: str | None = None) -> list[Any]:
        return [
            record
            for record in self.records
            if record.record_type == "service" and job_class in (None, record.customer_class)
        ]


def _runs(network: Network, warm_up: float, name: str) -> list[_Run]:
    import ciw

    horizon = max(CUSTOMERS / network.rate, 2.0 * warm_up)
    runs = []
    for replication in range(REPLICATIONS):
        ciw.seed(crc32(f"{name} {replication}".encode()))
        simulation = ciw.Simulation(ciw.create_network(**network.arguments))
        simulation.simulate_until_max_time(warm_up + horizon)
        records = [
            r for r in simulation.get_all_records() if r.exit_date > warm_up and r.node not in network.entry
        ]
        runs.append(_Run(records, horizon))
    return runs


def _inside(run: _Run, job_class: str | None = None) -> float:
    """Returns the mean number in the system: total time that customers spent at the nodes over run length."""
    return sum(record.exit_date - record.arrival_date for record in run.served(job_class)) / run.time


def _wait(run: _Run, job_class: str | None = None) -> float:
    return float(np.mean([record.waiting_time for record in run.served(job_class)]))


def _blocked(network: Network, run: _Run) -> float:
    return sum(record.record_type == "rejection" for record in run.records) / len(run.records)


def _waiting(network: Network, run: _Run) -> float:
    return float(np.mean([record.waiting_time > 1e-12 for record in run.served()]))


def _cost(network: Network, run: _Run) -> float:
    return sum(cost * _inside(run, job_class) for job_class, cost in network.costs.items())


MEASURES: Mapping[str, Callable[[Network, _Run], float]] = {
    "mean_in_system": lambda network, run: _inside(run),
    "mean_wait_in_queue": lambda network, run: _wait(run),
    "mean_wait_in_queue_class_1": lambda network, run: _wait(run, "1"),
    "mean_wait_in_queue_class_2": lambda network, run: _wait(run, "2"),
    "p_blocked": _blocked,
    "p_wait": _waiting,
    "cost_rate": _cost,
}


def _mmck(case: KnownCase) -> Network:
    from ciw.dists import Exponential

    given = case.parameters
    capacity = given.get("capacity")
    return Network(
        {
            "arrival_distributions": [Exponential(given["arrival_rate"])],
            "service_distributions": [Exponential(given["service_rate"])],
            "number_of_servers": [given["servers"]],
            "queue_capacities": [math.inf if capacity is None else capacity - given["servers"]],
        },
        given["arrival_rate"],
    )


def _mg1(case: KnownCase) -> Network | None:
    from ciw.dists import Deterministic, Exponential, Gamma, Uniform

    given = case.parameters
    match given["service"]:
        case {"name": "deterministic", "mean": mean}:
            service = Deterministic(mean)
        case {"name": "exponential", "mean": mean}:
            service = Exponential(1.0 / mean)
        case {"name": "erlang" | "gamma", "shape": shape, "mean": mean}:
            service = Gamma(shape, mean / shape)
        case {"name": "uniform", "low": low, "high": high}:
            service = Uniform(low, high)
        case _:
            return None
    return Network(
        {
            "arrival_distributions": [Exponential(given["arrival_rate"])],
            "service_distributions": [service],
            "number_of_servers": [1],
        },
        given["arrival_rate"],
    )


def _two_class(case: KnownCase) -> Network | None:
    from ciw.dists import Exponential

    given, preemptive = case.parameters, case.conventions.get("preemptive", False)
    arrivals, services = given["arrival_rates"], given["service_rates"]
    holding = given.get("holding_costs", [1.0, 1.0])
    index = [cost * rate for cost, rate in zip(holding, services, strict=True)]
    by_index = (0, 1) if index[0] >= index[1] else (1, 0)
    ranks = {
        "class_1_first": (0, 1),
        "class_2_first": (1, 0),
        "fcfs": (0, 0),
        "c_mu": by_index,
        "reverse_c_mu": by_index[::-1],
    }.get(case.policy["name"])
    if ranks is None:
        return None
    classes = ("1", "2")
    return Network(
        {
            "arrival_distributions": {c: [Exponential(r)] for c, r in zip(classes, arrivals, strict=True)},
            "service_distributions": {c: [Exponential(r)] for c, r in zip(classes, services, strict=True)},
            "number_of_servers": [given.get("servers", 1)],
            "priority_classes": (
                dict(zip(classes, ranks, strict=True)),
                [PREEMPT if preemptive else False],
            ),
        },
        sum(arrivals),
        dict(zip(classes, holding, strict=True)),
    )


def _criss_cross(case: KnownCase) -> Network | None:
    from ciw.dists import Exponential

    ranks = {"class_1_first": {"1": 0, "3": 1}, "class_3_first": {"1": 1, "3": 0}}.get(case.policy["name"])
    if ranks is None or not case.conventions.get("preemptive", False):
        return None
    arrivals, services = case.parameters["arrival_rates"], case.parameters["service_rates"]
    return Network(
        {
            "arrival_distributions": {c: [Exponential(arrivals[c]), None] for c in ("1", "3")},
            "service_distributions": {
                "1": [Exponential(services["1"]), Exponential(services["2"])],
                "3": [Exponential(services["3"]), Exponential(1.0)],
            },
            "number_of_servers": [1, 1],
            "routing": {"1": [[0.0, 1.0], [0.0, 0.0]], "3": [[0.0, 0.0], [0.0, 0.0]]},
            "priority_classes": (ranks, [PREEMPT, False]),
        },
        arrivals["1"] + arrivals["3"],
    )


def _routing(case: KnownCase) -> Network | None:
    from ciw.dists import Deterministic, Exponential
    from ciw.routing import Leave, LoadBalancing, NetworkRouting

    if case.policy["name"] != "jsq":
        return None
    # The fastest server comes first, so that a tie, which goes to the first node, goes to the fastest server.
    rates = sorted(case.parameters["service_rates"], reverse=True)
    nodes = [2 + server for server in range(len(rates))]
    tie = "random" if case.policy.get("tie") == "random" else "order"
    router = LoadBalancing(destinations=nodes, tie_break=tie)
    return Network(
        {
            "arrival_distributions": [
                Exponential(case.parameters["arrival_rate"]),
                *(None for _ in rates),
            ],
            "service_distributions": [Deterministic(0.0), *map(Exponential, rates)],
            "number_of_servers": [math.inf, *(1 for _ in rates)],
            "routing": NetworkRouting(routers=[router, *(Leave() for _ in rates)]),
        },
        case.parameters["arrival_rate"],
        entry=frozenset({1}),
    )


FAMILIES: Mapping[str, Callable[[KnownCase], Network | None]] = {
    "mmck": _mmck,
    "mg1": _mg1,
    "two_class": _two_class,
    "criss_cross": _criss_cross,
    "routing": _routing,
}
"""Family -> function that builds the Ciw network of a case; it returns None if Ciw can't express the case."""
