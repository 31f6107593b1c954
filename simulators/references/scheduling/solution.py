"""Solutions of scheduling networks under given or optimal policies. Axes: S states, C classes, N jobs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from simdistill.errors import InputError
from simdistill.mdp import DecisionProcess, evaluate, optimum, tabulate
from simdistill.simulation import Policy
from simdistill.simulators.references.scheduling.first_come import first_come_jobs
from simdistill.simulators.references.scheduling.iteration import Iteration
from simdistill.simulators.references.scheduling.network import alike, network
from simdistill.simulators.references.scheduling.rows import Rows
from simdistill.simulators.scheduling import first_come, maxweight

FIRST_SIZE = 20
"""Number of jobs of each class in the first truncation."""

MOST_STATES = 2e6
"""Largest number of combinations of jobs in a truncation."""

NEGLIGIBLE = {1: 1e-12, 2: 1e-11, 3: 1e-7}
"""Number of classes -> probability of a class's largest number of jobs that is negligible."""


@dataclass(frozen=True)
class Solution:
    """Long-run behaviour of a network under one policy.

    Attributes:
        process: The truncated process.
        policy_SC: Table of the policy.
        stationary_S: Stationary probability of each state over epochs.
    """

    process: DecisionProcess
    policy_SC: np.ndarray
    stationary_S: np.ndarray

    @property
    def rows(self) -> Rows:
        """The states as rows of integers."""
        states: Any = self.process.states
        return states.rows

    @property
    def jobs_SC(self) -> np.ndarray:
        """Number of jobs of each class in each state."""
        states: Any = self.process.states
        return self.rows.jobs(states.rows_SN)

    @cached_property
    def over_time_S(self) -> np.ndarray:
        """Probability of each state over time."""
        weights_S = self.stationary_S * (self.policy_SC * self.process.time_SC).sum(axis=1)
        return weights_S / weights_S.sum()

    def jobs(self) -> np.ndarray:
        """Returns the mean number of jobs in the system over time, per class."""
        return self.over_time_S @ self.jobs_SC

    def wanted(self) -> np.ndarray:
        """Returns a sufficient truncation for each class, extrapolated from the decay of its distribution."""
        wanted_C, negligible = self.rows.most_C.copy(), NEGLIGIBLE[min(self.rows.classes, 3)]
        for job_class, most in enumerate(self.rows.most_C.tolist()):
            share_N = np.bincount(self.jobs_SC[:, job_class], self.over_time_S, minlength=most + 1)
            if share_N[most] > negligible:
                some, more = most // 2, 3 * most // 4
                decay = math.log(share_N[more] / share_N[some]) / (more - some)
                further = math.log(negligible / share_N[more]) / min(decay, -1e-3)
                wanted_C[job_class] = min(more + math.ceil(1.05 * further), 2 * most)
        return wanted_C


@lru_cache(maxsize=8)
def solve(params: Any, policy: Policy | None) -> Solution:
    """Solves a network on a truncation whose boundary has negligible probability.

    Args:
        params: Parameters of the network.
        policy: The policy; None for the optimal one.

    Raises:
        InputError: If no truncation is large enough, as for a policy under which the queues grow.
    """
    most_C = np.full(len(params.arrival_rates), FIRST_SIZE)
    choose = policy or maxweight
    while np.prod(most_C.astype(float)) <= MOST_STATES:
        process = network(params, most_C, int(most_C.sum()), alike(params))
        policy_SC = tabulate(process, choose)
        solution = _evaluated(process, policy_SC if policy else _improved(process, policy_SC))
        wanted_C = solution.wanted()
        if (wanted_C == most_C).all():
            return solution
        if policy is None:
            choose = Optimal(solution, 0.75)
            wanted_C = np.maximum(wanted_C, solve(params, maxweight).rows.most_C)
        most_C = wanted_C
    raise InputError(f"a truncation at {most_C.tolist()} jobs would be too large; do the queues grow?")


def _evaluated(process: DecisionProcess, policy_SC: np.ndarray) -> Solution:
    states: Any = process.states
    if states.rows.classes > 2:
        return Solution(process, policy_SC, Iteration(process).stationary(policy_SC))
    return Solution(process, policy_SC, evaluate(process, policy_SC).stationary_S)


def _improved(process: DecisionProcess, policy_SC: np.ndarray) -> np.ndarray:
    """Returns the optimal policy; a penalty for jobs lost at the boundary replaces their holding cost."""
    states: Any = process.states
    rows, params = states.rows, states.rows.params
    jobs_SC = rows.jobs(states.rows_SN)
    full_SC = (jobs_SC == rows.most_C) | (jobs_SC.sum(axis=1, keepdims=True) == rows.most)
    waiting = rows.most / (min(params.service_rates) * (1.0 - params.load))
    lost_S = full_SC @ np.array(params.arrival_rates) * max(params.holding_costs) * waiting
    process = replace(process, cost_SC=process.cost_SC + lost_S[:, None] * process.time_SC)
    return Iteration(process).optimum(policy_SC) if rows.classes > 2 else optimum(process, policy_SC)[0]


class Optimal:
    """The optimal policy; larger numbers of jobs than a share of the truncation count as this share."""

    def __init__(self, solution: Solution, share: float = 1.0):
        self.solution, process = solution, solution.process
        self.most = (solution.rows.most_C * share).astype(int).tolist()
        asked = np.flatnonzero(process.legal_SC.sum(axis=1) > 1).tolist()
        best = solution.policy_SC.argmax(axis=1).tolist()
        self.table = {
            self.key(process.states[row]): process.labels[int(best[row])] for row in reversed(asked)
        }

    def __call__(self, state: dict, choices: Sequence[str]) -> str:
        return self.table[self.key(state)] if len(choices) > 1 else choices[0]

    def key(self, state: dict) -> tuple:
        jobs = map(min, state["jobs"], self.most)
        if self.solution.rows.alike:
            return (*jobs, *sorted(state["serving"]))
        return (*jobs, *state["serving"], state["server"])


def mean_jobs(params: Any, policy: Policy) -> np.ndarray:
    """Returns the exact mean number of jobs in the system, per class."""
    if policy is first_come:
        return first_come_jobs(params)
    return policy.solution.jobs() if isinstance(policy, Optimal) else solve(params, policy).jobs()
