"""Exact solutions of admission to one server (Naor 1969; Hassin, Haviv, To Queue or Not to Queue, 2003)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse

from simdistill.errors import InputError
from simdistill.mdp import DecisionProcess, optimum, tabulate
from simdistill.simulation import Experiment, KnownCase
from simdistill.simulation.replication import Replication
from simdistill.simulators.admission import (
    ACCEPT,
    REFUSE,
    Admission,
    individual_threshold,
    social,
    social_threshold,
)
from simdistill.simulators.references.queueing import relaxation


def at_arrivals(params: Any, size: int) -> DecisionProcess:
    """Returns the process embedded at arrivals, with at most `size` jobs inside.

    A service ends before the next arrival with probability q = service rate / total rate. So of m jobs, k > 0
    are left at the next arrival with probability (1 - q) q^(m - k), and the mean time with k jobs inside is
    q^(m - k) / total rate. A job accepted when `size` jobs are inside is lost with its reward; this is the
    truncation's effect at its boundary.
    """
    total = params.arrival_rate + params.service_rate
    q = params.service_rate / total
    jobs_S = np.arange(size + 1)
    served_SS = jobs_S[:, None] - jobs_S
    reached_SS = np.where(served_SS >= 0, q ** np.maximum(served_SS, 0), 0.0)
    left_SS = np.where(jobs_S > 0, (1 - q) * reached_SS, reached_SS)
    waiting_S = params.waiting_cost * (reached_SS @ jobs_S) / total
    then_S = np.minimum(jobs_S + 1, size)
    accepting_S = waiting_S[then_S] + params.reward * (jobs_S == size)
    fixed = params.model_dump(exclude={"initial_jobs"})
    return DecisionProcess(
        states=[{**fixed, "jobs": jobs} for jobs in jobs_S.tolist()],
        labels=[ACCEPT, REFUSE],
        legal_SC=np.ones((size + 1, 2), dtype=bool),
        moves=[sparse.csr_matrix(left_SS[then_S]), sparse.csr_matrix(left_SS)],
        cost_SC=np.stack([accepting_S, waiting_S + params.reward], axis=1),
        time_SC=np.full((size + 1, 2), 1 / params.arrival_rate),
        boundary_S=jobs_S == size,
    )


@dataclass(frozen=True)
class BelowThreshold:
    """Accepts a job if fewer jobs than a threshold are inside."""

    threshold: float

    def __call__(self, state: dict, choices: Sequence[str]) -> str:
        return ACCEPT if state["jobs"] < self.threshold else REFUSE


def probabilities(params: Any, threshold: int) -> np.ndarray:
    """Returns the probability of each number of jobs inside (N): an M/M/1 queue of capacity `threshold`."""
    weight_N = params.load ** np.arange(threshold + 1.0)
    return weight_N / weight_N.sum()


def gain_rate(params: Any, threshold: int) -> float:
    """Returns the rewards minus the waiting costs per unit of time, under a threshold policy."""
    probability_N = probabilities(params, threshold)
    accepted = params.arrival_rate * (1 - probability_N[-1])
    waiting = params.waiting_cost * float(probability_N @ np.arange(threshold + 1))
    return float(params.reward * accepted - waiting)


def revenue_threshold(params: Any) -> int:
    """Returns the threshold at which a toll brings the largest revenue.

    The toll equals the net gain of the last job that enters, so this job is left with nothing.
    """
    worth = individual_threshold(params.service_rate, params.reward, params.waiting_cost)

    def revenue(threshold: int) -> float:
        toll = params.reward - threshold * params.waiting_cost / params.service_rate
        return params.arrival_rate * (1 - probabilities(params, threshold)[-1]) * toll

    return max(range(worth + 1), key=revenue)


def optimal_threshold(params: Any) -> int:
    """Returns the threshold of the optimal policy, found by policy iteration."""
    worth = individual_threshold(params.service_rate, params.reward, params.waiting_cost)
    process = at_arrivals(params, worth + 2)
    policy_SC, _ = optimum(process, tabulate(process, social))
    return int(policy_SC[:, 0].argmin())


def threshold(case: KnownCase, params: Any) -> int:
    """Returns the threshold of a known case's policy."""
    match dict(case.policy):
        case {"name": "individual"}:
            return individual_threshold(params.service_rate, params.reward, params.waiting_cost)
        case {"name": "social"}:
            return social_threshold(
                params.arrival_rate, params.service_rate, params.reward, params.waiting_cost
            )
        case {"name": "optimal"}:
            return optimal_threshold(params)
        case {"name": "revenue" | "monopoly"}:
            return revenue_threshold(params)
        case {"name": "threshold", "threshold": jobs} | {"name": "threshold", "n": jobs}:
            return jobs
    raise InputError(f"case {case.id}: admission has no policy {dict(case.policy)}")


def experiment(case: KnownCase) -> Experiment:
    """Returns the experiment for a known case of the family `admission`."""
    params: Any = Admission.parse(case.parameters)
    most = threshold(case, params)
    probability_N = probabilities(params, most)
    accepted = params.arrival_rate * float(1 - probability_N[-1])
    in_system = float(probability_N @ np.arange(most + 1))
    solved = {
        "threshold": float(most),
        "gain_rate": gain_rate(params, most),
        "p_accepted": accepted / params.arrival_rate,
        "p_refused": float(probability_N[-1]),
        "mean_in_system": in_system,
        "mean_time_in_system": in_system / accepted if accepted else math.nan,
    }
    forgets = memory(params, most)
    return Experiment(
        params,
        BelowThreshold(most),
        measures={
            "gain_rate": partial(simulated_gain, params.arrival_rate * params.reward),
            "p_refused": lambda found: 1 - found.measures["accepted"],
        },
        solved={measure: partial(float, value) for measure, value in solved.items()},
        warm_up=8 * forgets,
        horizon=200 * forgets,
        other_start=params.model_copy(update={"initial_jobs": most}),
    )


def simulated_gain(offered: float, found: Replication) -> float:
    """Returns the rewards minus the waiting costs per unit of time: all arrivals' rewards minus the cost."""
    return offered - found.cost


def memory(params: Any, threshold: int) -> float:
    """Returns the approximate time in which the queue forgets its initial state."""
    crossing = (threshold + 1) ** 2 / (params.arrival_rate + params.service_rate)
    if params.load == 1:
        return crossing
    return min(crossing, relaxation(params.arrival_rate, params.service_rate)) + 1 / params.service_rate
