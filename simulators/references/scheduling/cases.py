"""Experiments for known cases of scheduling networks: translates cases into parameters and policies."""

import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np

from simdistill.errors import InputError
from simdistill.simulation import Experiment, KnownCase, Policy
from simdistill.simulation.replication import Replication
from simdistill.simulators.references.scheduling.solution import Optimal, mean_jobs, solve
from simdistill.simulators.scheduling import (
    Scheduling,
    c_mu,
    class_first,
    first_buffer_first,
    first_come,
    last_buffer_first,
    maxweight,
    rate,
    served,
    threshold,
)


def two_class(case: KnownCase) -> dict:
    parameters = case.parameters
    servers = range(1, parameters.get("servers", 1) + 1)
    classes = range(1, len(parameters["arrival_rates"]) + 1)
    return {
        "arrival_rates": parameters["arrival_rates"],
        "holding_costs": parameters.get("holding_costs", [1.0] * len(classes)),
        "skills": [(server, job_class) for server in servers for job_class in classes],
        "service_rates": list(parameters["service_rates"]) * len(servers),
        "waits_seen": case.policy["name"] == "fcfs",
    }


def criss_cross(case: KnownCase) -> dict:
    """Returns parameters without idling: with equal holding costs, serving a job early never costs more."""
    arrivals, services = case.parameters["arrival_rates"], case.parameters["service_rates"]
    return {
        "arrival_rates": [arrivals["1"], 0.0, arrivals["3"]],
        "holding_costs": [1.0, 1.0, 1.0],
        "next_classes": [2, 0, 0],
        "skills": [(1, 1), (2, 2), (1, 3)],
        "service_rates": [services["1"], services["2"], services["3"]],
    }


def n_model(case: KnownCase) -> dict:
    rates = case.parameters["service_rates"]
    skills = ((1, 1), (2, 1), (2, 2))
    return {
        "arrival_rates": case.parameters["arrival_rates"],
        "holding_costs": case.parameters["holding_costs"],
        "skills": skills,
        "service_rates": [rates[f"server_{server}_class_{job_class}"] for server, job_class in skills],
    }


def rybko_stolyar(case: KnownCase) -> dict:
    """Returns the parameters of two flows: A goes through classes 1 and 2, B through classes 3 and 4.

    Classes 1 and 4 are served at station 1, classes 2 and 3 at station 2.
    """
    arrivals, means = case.parameters["arrival_rate_per_flow"], case.parameters["mean_service"]
    entry, leaving = 1.0 / means["entry"], 1.0 / means["exit"]
    return {
        "arrival_rates": [arrivals, 0.0, arrivals, 0.0],
        "holding_costs": [1.0] * 4,
        "next_classes": [2, 0, 4, 0],
        "skills": [(1, 1), (2, 2), (2, 3), (1, 4)],
        "service_rates": [entry, leaving, entry, leaving],
    }


FAMILIES = {
    "two_class": two_class,
    "criss_cross": criss_cross,
    "n_model": n_model,
    "rybko_stolyar": rybko_stolyar,
}
POLICIES = {
    "c_mu": c_mu,
    "maxweight": maxweight,
    "fcfs": first_come,
    "entry_first": first_buffer_first,
    "exit_first": last_buffer_first,
    "first_buffer_first": first_buffer_first,
    "last_buffer_first": last_buffer_first,
}


def reverse_c_mu(state: dict, choices: Sequence[str]) -> str:
    """Serves the class whose holding cost × service rate is least; ties go to the higher class."""
    return min(
        served(choices)[::-1],
        key=lambda choice: state["holding_costs"][int(choice) - 1] * rate(state, int(choice)),
    )


def policy_of(case: KnownCase, params: Any) -> Policy:
    """Returns the policy that a case names.

    Raises:
        InputError: If no policy has this name.
    """
    name = case.policy["name"]
    if name == "optimal":
        return Optimal(solve(params, None))
    if name == "threshold":
        return threshold(case.policy["T"])
    if name == "reverse_c_mu":
        return reverse_c_mu
    if name in POLICIES:
        return POLICIES[name]
    found = re.fullmatch(r"class_(\d+)_first", name)
    if found and 1 <= int(found[1]) <= len(params.arrival_rates):
        return class_first(int(found[1]))
    known = ", ".join([*POLICIES, "optimal", "reverse_c_mu", "threshold", "class_1_first, …"])
    raise InputError(f"{case.id}: no policy {name!r} in scheduling; available: {known}")


def experiment(case: KnownCase) -> Experiment:
    """Returns the experiment for a known case; times and waits by class follow from Little's law."""
    preemptive = bool(case.conventions.get("preemptive", False))
    params = Scheduling.parse({**FAMILIES[case.family](case), "preemptive": preemptive})
    policy = policy_of(case, params)
    jobs = lru_cache(lambda: mean_jobs(params, policy))
    solved: dict[str, Callable[[], float]] = {
        "cost_rate": lambda: float(jobs() @ params.holding_costs),
        "mean_in_system": lambda: float(jobs().sum()),
    }
    measures: dict[str, Any] = {"cost_rate": lambda replication: replication.cost}
    speed = {
        job_class: speed for (_, job_class), speed in zip(params.skills, params.service_rates, strict=True)
    }
    for job_class, arrivals in enumerate(params.total_rates, 1):
        service = 1.0 / speed[job_class]
        solved |= {
            f"mean_in_system_class_{job_class}": partial(_of_class, jobs, job_class),
            f"mean_time_in_system_class_{job_class}": partial(_of_class, jobs, job_class, arrivals),
            f"mean_wait_in_queue_class_{job_class}": partial(_of_class, jobs, job_class, arrivals, service),
        }
        if preemptive:
            measures[f"mean_wait_in_queue_class_{job_class}"] = partial(
                _wait, f"time_in_system_class_{job_class}", service
            )
    if case.run.get("kind") == "unstable":
        return Experiment(
            params, policy, warm_up=2_000.0, horizon=20_000.0, growing={"growth_rate": "in_system"}
        )
    # Ten times the relaxation time of an M/M/1 queue (Cohen, The Single Server Queue, II.2).
    warm_up = 10.0 / (min(params.service_rates) * (1.0 - math.sqrt(params.load)) ** 2)
    crowd = tuple(math.ceil(rate > 0) * math.ceil(1.0 / (1.0 - params.load)) for rate in params.arrival_rates)
    return Experiment(
        params,
        policy,
        measures,
        solved,
        warm_up=warm_up,
        horizon=max(10.0 * warm_up, 2_000.0),
        other_start=params.model_copy(update={"initial_jobs": crowd}),
    )


def _of_class(
    jobs: Callable[[], np.ndarray], job_class: int, arrivals: float = 1.0, service: float = 0.0
) -> float:
    return float(jobs()[job_class - 1]) / arrivals - service


def _wait(time: str, service: float, replication: Replication) -> float:
    return replication.measures[time] - service
