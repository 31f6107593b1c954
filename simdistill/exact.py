"""Exact long-run average costs of Markov processes with decisions, by sparse linear solves.

A simulator whose observation is the Markov state offers `markov(params, size)`. Policies are then evaluated
without noise and the optimum is found by policy iteration (Puterman, Markov Decision Processes, chapter 8.6;
continuous time as in chapter 11). Decisions fall at the points of one Poisson process (the arrivals), so the
costs seen by arrivals and over time agree (PASTA).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from simdistill.errors import InputError


@dataclass(frozen=True)
class MarkovProcess:
    """A truncated continuous-time Markov chain with decisions at Poisson points.

    Axes: S states, C choices.

    Attributes:
        states: What `observe` gives in each state, length S.
        labels: Labels of the choices, length C.
        cost_S: Cost per unit of time in each state.
        passive_SS: Rates of the transitions that nobody decides; the diagonal is ignored.
        decision_rate: Decisions per unit of time.
        next_SC: State after each choice in each state.
        boundary_S: True where the truncation is felt.
    """

    states: Sequence[dict]
    labels: Sequence[str]
    cost_S: np.ndarray
    passive_SS: sparse.csr_matrix
    decision_rate: float
    next_SC: np.ndarray
    boundary_S: np.ndarray

    @cached_property
    def _passive_generator(self) -> sparse.csr_matrix:
        rates = self.passive_SS.copy()
        rates.setdiag(0)
        return (rates - sparse.diags(np.asarray(rates.sum(axis=1)).ravel())).tocsr()

    def generator(self, policy_SC: np.ndarray) -> sparse.csc_matrix:
        """Returns the generator under a policy given as probabilities of the choices in each state."""
        count, choices = self.next_SC.shape
        rows = np.repeat(np.arange(count), choices)
        moves = sparse.csr_matrix((policy_SC.ravel(), (rows, self.next_SC.ravel())), shape=(count, count))
        return sparse.csc_matrix(
            self._passive_generator + self.decision_rate * (moves - sparse.identity(count))
        )


@dataclass(frozen=True)
class Evaluation:
    """The long run under one policy.

    Attributes:
        cost: Average cost per unit of time.
        stationary_S: Probability of each state.
        bias_S: Relative value of each state (0 in state 0), in cost units.
        boundary: Probability of the truncation's boundary; a large one means that the queues grow.
    """

    cost: float
    stationary_S: np.ndarray
    bias_S: np.ndarray
    boundary: float


def evaluate(process: MarkovProcess, policy_SC: np.ndarray) -> Evaluation:
    """Solves for average cost, stationary distribution and bias of a policy.

    Args:
        process: The chain.
        policy_SC: Probability of each choice in each state.
    """
    generator = process.generator(policy_SC)
    rest, from_first = generator[1:, 1:], generator[0, 1:]
    # Minus the generator without one state is an M-matrix: no pivoting, the order can follow sparsity alone.
    solver = splu(
        -rest.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
    )
    # Expected cost and time from each state until state 0 give average cost and bias (renewal reward).
    until_first = solver.solve(np.stack([process.cost_S[1:], np.ones(len(process.cost_S) - 1)], axis=1))
    leaving = from_first.toarray().ravel()
    cycle_cost, cycle_time = np.array([process.cost_S[0], 1.0]) + leaving @ until_first
    cost = cycle_cost / cycle_time
    bias_S = np.concatenate([[0.0], until_first[:, 0] - cost * until_first[:, 1]])
    visits = np.concatenate([[1.0], solver.solve(leaving, trans="T")])
    stationary_S = visits / visits.sum()
    return Evaluation(float(cost), stationary_S, bias_S, float(stationary_S @ process.boundary_S))


def choice_values(process: MarkovProcess, evaluation: Evaluation) -> np.ndarray:
    """Returns the exact cost difference of each choice to the best one, then following the policy (S, C)."""
    values_SC = evaluation.bias_S[process.next_SC]
    return values_SC - values_SC.min(axis=1, keepdims=True)


def optimum(
    process: MarkovProcess, start_SC: np.ndarray, tolerance: float = 1e-10
) -> tuple[np.ndarray, Evaluation]:
    """Finds the policy of least average cost by policy iteration.

    Args:
        process: The chain.
        start_SC: A policy to start from, under which the process is stable.
        tolerance: Relative improvement of the average cost below which iteration ends; choices in states that
            hardly ever occur may then still be short of the best.

    Returns:
        The optimal policy (probabilities, one choice per state) and its evaluation.
    """
    policy_SC, evaluation = start_SC, evaluate(process, start_SC)
    while True:
        values_SC = evaluation.bias_S[process.next_SC]
        held_S = (policy_SC * values_SC).sum(axis=1)
        improvable_S = held_S > values_SC.min(axis=1) + 1e-9 * (1 + np.abs(held_S))
        policy_SC = policy_SC.copy()
        policy_SC[improvable_S] = np.eye(len(process.labels))[values_SC[improvable_S].argmin(axis=1)]
        before, evaluation = evaluation.cost, evaluate(process, policy_SC)
        if before - evaluation.cost <= tolerance * evaluation.cost:
            return policy_SC, evaluation


def tabulate(process: MarkovProcess, policy: Callable[[dict, Sequence[str]], str]) -> np.ndarray:
    """Asks a policy in every state; returns probabilities of the choices (S, C).

    A policy with a method `tabulate(states, labels)` is asked all states at once.
    """
    at_once = getattr(policy, "tabulate", None)
    if at_once is not None:
        return at_once(process.states, process.labels)
    index = {label: column for column, label in enumerate(process.labels)}
    columns_S = [index[policy(state, process.labels)] for state in process.states]
    return np.eye(len(process.labels))[columns_S]


def uniform_policy(process: MarkovProcess) -> np.ndarray:
    """Returns the policy that takes every choice equally often (S, C)."""
    return np.full(process.next_SC.shape, 1.0 / process.next_SC.shape[1])


def fitting_size(
    build: Callable[[int], MarkovProcess],
    policy: Callable[[MarkovProcess], np.ndarray],
    negligible: float = 1e-7,
    sizes: Sequence[int] = (40, 80, 160),
) -> tuple[MarkovProcess, Evaluation] | None:
    """Enlarges a truncation until its boundary hardly matters.

    Args:
        build: Makes the process truncated at a size.
        policy: Gives the policy's table for a process.
        negligible: Probability of the boundary that is small enough.
        sizes: Sizes to try, in order.

    Returns:
        The process and its evaluation, or None if the boundary still matters at the largest size, as it does
        when the queues grow without bound.
    """
    if not sizes:
        raise InputError("no truncation sizes were given")
    for size in sizes:
        process = build(size)
        evaluation = evaluate(process, policy(process))
        if evaluation.boundary <= negligible:
            return process, evaluation
    return None
