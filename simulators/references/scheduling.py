"""Scheduling networks solved exactly.

The process is seen when a server is asked and, where nobody is, at arrivals and completions. Axes: S states,
C classes, M servers.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, bicgstab, splu, spsolve

from simdistill.errors import InputError
from simdistill.mdp import DecisionProcess, evaluate, optimum, tabulate
from simdistill.simulation import Policy
from simdistill.simulators.scheduling import (
    IDLE,
    first_come,
    maxweight,
)

FIRST_SIZE = 20
"""Jobs of each class in the first truncation that is tried."""
MOST_STATES = 2e6
"""Combinations of jobs in the largest truncation that is tried."""
NEGLIGIBLE = {1: 1e-12, 2: 1e-11, 3: 1e-7}
"""Probability of a class's most jobs below which they may as well be the most, by the number of classes."""
RESTARTS = 10
"""Beginnings of an iterative solution."""


class Rows:
    """States of a network as rows of an integer array: jobs (C), serving (M), asked (1), all counted from 1.

    Args:
        params: The network.
        most_C: Most jobs of each class.
        most: Most jobs in all.
        alike: Whether servers are told apart by what they serve only; all of them must be alike.
    """

    def __init__(self, params: Any, most_C: np.ndarray, most: int, alike: bool = False):
        self.params, self.most_C, self.most, self.alike = params, most_C, most, alike
        self.classes = len(params.arrival_rates)
        self.servers = max(server for server, _ in params.skills)
        self.can_MC = np.zeros((self.servers, self.classes), dtype=bool)
        self.rate_MC = np.zeros((self.servers, self.classes))
        for (server, job_class), speed in zip(params.skills, params.service_rates, strict=True):
            self.can_MC[server - 1, job_class - 1] = True
            self.rate_MC[server - 1, job_class - 1] = speed
        self.radix = np.array([*(most_C + 1), *[self.classes + 1] * self.servers, self.servers + 1])
        self.weights = np.concatenate([np.cumprod(self.radix[:0:-1])[::-1], [1]]).astype(np.int64)
        self.choices = self.classes + params.idling

    def jobs(self, rows_SN: np.ndarray) -> np.ndarray:
        return rows_SN[:, : self.classes]

    def serving(self, rows_SN: np.ndarray) -> np.ndarray:
        return rows_SN[:, self.classes : -1]

    def keys(self, rows_SN: np.ndarray) -> np.ndarray:
        """Returns one number per row, equal where rows are equal; 0 for the empty system."""
        return rows_SN @ self.weights

    def legal(self, rows_SN: np.ndarray, server: int) -> np.ndarray:
        """Returns which choices a server (from 0) has (S, choices): classes that wait for it, then idling."""
        waiting_SC = self.jobs(rows_SN).copy()
        for other in range(self.servers):
            busy_S = np.flatnonzero(self.serving(rows_SN)[:, other])
            waiting_SC[busy_S, self.serving(rows_SN)[busy_S, other] - 1] -= 1
        legal_SC = (waiting_SC > 0) & self.can_MC[server]
        if not self.params.idling:
            return legal_SC
        return np.column_stack([legal_SC, legal_SC.any(axis=1)])

    def settled(self, rows_SN: np.ndarray, first_S: np.ndarray) -> np.ndarray:
        """Lets servers from `first_S` on take the only class they can, up to the first with a choice."""
        rows_SN = rows_SN.copy()
        rows_SN[:, -1] = 0
        if self.alike:
            self.serving(rows_SN)[:] = -np.sort(-self.serving(rows_SN), axis=1)
            first_S = np.zeros(len(rows_SN), dtype=int)
        for server in range(self.servers):
            column = self.classes + server
            free_S = np.flatnonzero((rows_SN[:, -1] == 0) & (rows_SN[:, column] == 0) & (first_S <= server))
            legal_SC = self.legal(rows_SN[free_S], server)
            count_S = legal_SC.sum(axis=1)
            rows_SN[free_S[count_S > 1], -1] = server + 1
            rows_SN[free_S[count_S == 1], column] = legal_SC[count_S == 1].argmax(axis=1) + 1
        if self.alike:
            self.serving(rows_SN)[:] = -np.sort(-self.serving(rows_SN), axis=1)
        return rows_SN

    def answered(self, rows_SN: np.ndarray, choice: int) -> np.ndarray:
        """Returns the rows after the servers that are asked took a choice."""
        rows_SN = rows_SN.copy()
        asked_S = rows_SN[:, -1].copy()
        rows_SN[np.arange(len(rows_SN)), self.classes + asked_S - 1] = (
            choice + 1 if choice < self.classes else 0
        )
        return self.settled(rows_SN, asked_S)

    def events(self, rows_SN: np.ndarray):
        """Yields what can happen where nobody is asked: (indices of rows, rate, rows after it)."""
        route = self.params.route
        every_S = np.arange(len(rows_SN))
        for job_class, speed in enumerate(self.params.arrival_rates):
            if speed:
                yield every_S, speed, self.moved(rows_SN, -1, job_class)
        for server, job_class in zip(*np.nonzero(self.can_MC), strict=True):
            where_S = np.flatnonzero(rows_SN[:, self.classes + server] == job_class + 1)
            after_SN = rows_SN[where_S]
            after_SN[:, self.classes + server] = 0
            yield (
                where_S,
                self.rate_MC[server, job_class],
                self.moved(after_SN, job_class, route[job_class] - 1),
            )

    def moved(self, rows_SN: np.ndarray, source: int, target: int) -> np.ndarray:
        """Moves a job from class to class (from 0; -1 is outside); one that finds no room is lost."""
        rows_SN = rows_SN.copy()
        if source >= 0:
            rows_SN[:, source] -= 1
        if target >= 0:
            room_S = (rows_SN[:, target] < self.most_C[target]) & (self.jobs(rows_SN).sum(axis=1) < self.most)
            rows_SN[room_S, target] += 1
        if self.params.preemptive:
            rows_SN[:, self.classes : -1] = 0
        return self.settled(rows_SN, np.zeros(len(rows_SN), dtype=int))

    def all(self) -> np.ndarray:
        """Returns every row in which a server is asked or time passes, the empty system first."""
        grid_SC = np.indices(tuple(self.most_C + 1)).reshape(self.classes, -1).T
        grid_SC = grid_SC[grid_SC.sum(axis=1) <= self.most]
        rows_SN = np.zeros((len(grid_SC), self.classes + self.servers + 1), dtype=np.int64)
        rows_SN[:, : self.classes] = grid_SC
        if not self.params.preemptive:
            for server in range(self.servers):
                started = [rows_SN]
                for job_class in np.flatnonzero(self.can_MC[server]):
                    held_S = (self.serving(rows_SN) == job_class + 1).sum(axis=1)
                    busy_SN = rows_SN[rows_SN[:, job_class] > held_S]
                    busy_SN[:, self.classes + server] = job_class + 1
                    started.append(busy_SN)
                rows_SN = np.concatenate(started)
        rows_SN = found = self.distinct(self.settled(rows_SN, np.zeros(len(rows_SN), dtype=int)))
        while (found[:, -1] > 0).any():
            asked_SN = found[found[:, -1] > 0]
            legal_SC = self.legal_asked(asked_SN)
            found = np.concatenate([self.answered(asked_SN[legal_SC[:, c]], c) for c in range(self.choices)])
            found = self.distinct(found[found[:, -1] > 0])
            rows_SN = self.distinct(np.concatenate([rows_SN, found]))
        return rows_SN

    def legal_asked(self, rows_SN: np.ndarray) -> np.ndarray:
        """Returns the choices of the servers that are asked (S, choices)."""
        legal_SC = np.zeros((len(rows_SN), self.choices), dtype=bool)
        for server in range(self.servers):
            where_S = np.flatnonzero(rows_SN[:, -1] == server + 1)
            legal_SC[where_S] = self.legal(rows_SN[where_S], server)
        return legal_SC

    def distinct(self, rows_SN: np.ndarray) -> np.ndarray:
        return rows_SN[np.unique(self.keys(rows_SN), return_index=True)[1]]


class States(Sequence):
    """What `observe` gives in each state, made when asked for."""

    def __init__(self, rows: Rows, rows_SN: np.ndarray):
        self.rows, self.rows_SN = rows, rows_SN
        params = rows.params
        self.fixed = {
            "arrival_rates": list(params.arrival_rates),
            "holding_costs": list(params.holding_costs),
            "next_classes": list(params.route),
            "skills": [list(pair) for pair in params.skills],
            "service_rates": list(params.service_rates),
        }

    def __len__(self) -> int:
        return len(self.rows_SN)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        row = self.rows_SN[index].tolist()
        classes = self.rows.classes
        return {**self.fixed, "jobs": row[:classes], "serving": row[classes:-1], "server": row[-1]}


def network(params: Any, most_C: np.ndarray, most: int, alike: bool = False) -> DecisionProcess:
    """Returns the process with at most `most_C` jobs of each class and `most` jobs in all.

    Where nobody is asked, the first choice is the only one and means to wait for the next event.
    """
    rows = Rows(params, most_C, most, alike)
    rows_SN = rows.all()
    keys_S, count = rows.keys(rows_SN), len(rows_SN)
    jobs_SC = rows.jobs(rows_SN)
    holding_S = jobs_SC @ np.array(params.holding_costs)
    asked_S = rows_SN[:, -1] > 0
    legal_SC = np.zeros((count, rows.choices), dtype=bool)
    legal_SC[asked_S] = rows.legal_asked(rows_SN[asked_S])
    legal_SC[~asked_S, 0] = True
    time_SC = np.zeros(legal_SC.shape)
    moves = []
    for choice in range(rows.choices):
        from_S = np.flatnonzero(legal_SC[:, choice])
        after_SN = rows_SN[from_S].copy()
        answered_S = asked_S[from_S]
        after_SN[answered_S] = rows.answered(after_SN[answered_S], choice)
        next_S = np.flatnonzero(after_SN[:, -1] > 0)  # another server is asked at once
        sources, targets, rates = [from_S[next_S]], [after_SN[next_S]], [np.ones(len(next_S))]
        passing_S = np.flatnonzero(after_SN[:, -1] == 0)
        total_S = np.zeros(count)
        for where_S, speed, event_SN in rows.events(after_SN[passing_S]):
            source_S = from_S[passing_S[where_S]]
            sources.append(source_S)
            targets.append(event_SN)
            rates.append(np.full(len(where_S), speed))
            total_S[source_S] += speed
        time_SC[:, choice] = np.divide(1.0, total_S, out=np.zeros(count), where=total_S > 0)
        source = np.concatenate(sources)
        target = np.searchsorted(keys_S, rows.keys(np.concatenate(targets)))
        share = np.concatenate(rates) * np.where(total_S[source] > 0, time_SC[source, choice], 1.0)
        moves.append(sparse.csr_matrix((share, (source, target)), shape=(count, count)))
    return DecisionProcess(
        states=States(rows, rows_SN),
        labels=[str(job_class + 1) for job_class in range(rows.classes)] + [IDLE] * params.idling,
        legal_SC=legal_SC,
        moves=moves,
        cost_SC=holding_S[:, None] * time_SC,
        time_SC=time_SC,
        boundary_S=(jobs_SC == most_C).any(axis=1) | (jobs_SC.sum(axis=1) == most),
    )


def markov(params: Any, size: int) -> DecisionProcess:
    """Returns the process with at most `size` jobs in all."""
    return network(params, np.full(len(params.arrival_rates), size), size)


class Iteration:
    """Solves networks of more than two classes, where the factors of a sparse matrix would fill up.

    BiCGSTAB preconditioned by one sweep of Gauss-Seidel (Stewart, Introduction to the Numerical Solution of
    Markov Chains, chapters 3 and 4); each solution begins where the last one ended.
    """

    def __init__(self, process: DecisionProcess):
        self.process = process
        self.visits_S, self.bias_S = np.zeros((2, len(process.states) - 1))

    def stationary(self, policy_SC: np.ndarray) -> np.ndarray:
        """Returns the probability of each state over epochs.

        Raises:
            InputError: If it doesn't converge, as for a policy under which the queues grow.
        """
        system, _, _ = self.process.system(policy_SC)
        from_first = -system[0, 1:].toarray().ravel()
        self.visits_S = _converged(system[1:, 1:].T.tocsr(), from_first, self.visits_S, 1e-10)
        return np.concatenate([[1.0], self.visits_S]) / (1.0 + self.visits_S.sum())

    def optimum(self, policy_SC: np.ndarray, tolerance: float = 1e-5) -> np.ndarray:
        """Returns a policy that policy iteration improves by no more than a share of the cost.

        What a step improves is what it saves in each state, weighted by the probability of the state.
        """
        process, stationary_S = self.process, self.stationary(policy_SC)
        cost = None
        while True:
            system, cost_S, time_S = process.system(policy_SC)
            if cost is None:
                cost = float(stationary_S @ cost_S / (stationary_S @ time_S))
            self.bias_S = _converged(system[1:, 1:].tocsr(), (cost_S - cost * time_S)[1:], self.bias_S, 1e-7)
            values_SC = process.values(np.concatenate([[0.0], self.bias_S]), cost)
            saved_S = np.where(policy_SC > 0, values_SC, 0.0).sum(axis=1) - values_SC.min(axis=1)
            policy_SC = policy_SC.copy()
            better_S = saved_S > 1e-9 * (1.0 + np.abs(values_SC.min(axis=1)))
            policy_SC[better_S] = np.eye(len(process.labels))[values_SC[better_S].argmin(axis=1)]
            saved = float(stationary_S @ saved_S / (stationary_S @ time_S))
            cost -= saved
            if saved <= tolerance * cost:
                return policy_SC


def _converged(
    matrix: sparse.csr_matrix, right: np.ndarray, found: np.ndarray, tolerance: float
) -> np.ndarray:
    sweep = splu(sparse.tril(matrix, format="csc"), permc_spec="NATURAL", diag_pivot_thresh=0.0)
    preconditioner = LinearOperator(matrix.shape, sweep.solve, dtype=float)  # type: ignore[call-arg]
    for _ in range(RESTARTS):  # the method may break down; begun again it goes on
        found, failed = bicgstab(matrix, right, found, M=preconditioner, rtol=tolerance, maxiter=1_000)
        if not failed:
            return found
    raise InputError(f"{len(right):,} states: no convergence; do the queues grow?")


@dataclass(frozen=True)
class Solution:
    """A network under one policy.

    Attributes:
        process: The truncated process.
        policy_SC: The policy's table.
        stationary_S: Probability of each state over epochs.
    """

    process: DecisionProcess
    policy_SC: np.ndarray
    stationary_S: np.ndarray

    @property
    def rows(self) -> Rows:
        """How the states are numbered."""
        states: Any = self.process.states
        return states.rows

    @property
    def jobs_SC(self) -> np.ndarray:
        """Jobs of each class in each state."""
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
        """Returns for how many jobs of each class there should be room, by the decay of its distribution."""
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
    """Solves a network under a policy, or for its optimum, on a truncation whose boundary hardly matters.

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
    raise InputError(f"truncated at {most_C.tolist()} jobs the boundary still matters; do the queues grow?")


def _evaluated(process: DecisionProcess, policy_SC: np.ndarray) -> Solution:
    states: Any = process.states
    if states.rows.classes > 2:
        return Solution(process, policy_SC, Iteration(process).stationary(policy_SC))
    return Solution(process, policy_SC, evaluate(process, policy_SC).stationary_S)


def _improved(process: DecisionProcess, policy_SC: np.ndarray) -> np.ndarray:
    """Returns the best policy; jobs lost at the boundary cost what they would where there is more room."""
    states: Any = process.states
    rows, params = states.rows, states.rows.params
    jobs_SC = rows.jobs(states.rows_SN)
    full_SC = (jobs_SC == rows.most_C) | (jobs_SC.sum(axis=1, keepdims=True) == rows.most)
    waiting = rows.most / (min(params.service_rates) * (1.0 - params.load))
    lost_S = full_SC @ np.array(params.arrival_rates) * max(params.holding_costs) * waiting
    process = replace(process, cost_SC=process.cost_SC + lost_S[:, None] * process.time_SC)
    return Iteration(process).optimum(policy_SC) if rows.classes > 2 else optimum(process, policy_SC)[0]


class Optimal:
    """The optimal policy; beyond a share of the truncation's jobs per class, as with so many."""

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


def alike(params: Any) -> bool:
    """Whether several servers have the same skills, so that it doesn't matter which of them serves what."""
    skills: dict[int, set] = {}
    for (server, job_class), speed in zip(params.skills, params.service_rates, strict=True):
        skills.setdefault(server, set()).add((job_class, speed))
    first, *others = skills.values()
    return bool(others) and not params.idling and all(other == first for other in others)


def first_come_jobs(params: Any) -> np.ndarray:
    """Returns the mean number of jobs in the system per class where servers that are alike serve in order.

    By the chain of (jobs in the system, those of class 1 in service): until a job is served its class is
    independent of everything else.
    """
    servers, first, second = len(params.skills) // 2, *params.arrival_rates
    first_rate, second_rate = params.service_rates[:2]
    share = first / (first + second)
    size = servers + math.ceil(2 * math.log(1e-13) / math.log(params.load))

    def steps(jobs: int, ones: int):
        """Yields rate and next state of all that can happen."""
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


def mean_jobs(params: Any, policy: Policy) -> np.ndarray:
    """Returns the exact mean number of jobs in the system, per class."""
    if policy is first_come:
        return first_come_jobs(params)
    return policy.solution.jobs() if isinstance(policy, Optimal) else solve(params, policy).jobs()
