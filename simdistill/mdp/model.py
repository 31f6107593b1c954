"""Markov processes with decisions: chains with decisions at Poisson points, and semi-Markov processes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse


@dataclass(frozen=True)
class MarkovProcess:
    """A truncated continuous-time Markov chain with decisions at Poisson points.

    Axes: S states, C choices.

    Attributes:
        states: Observation (the result of `observe`) in each state, length S.
        labels: Labels of the choices, length C.
        cost_S: Cost per unit of time in each state.
        passive_SS: Rates of the transitions without a decision; the diagonal is ignored.
        decision_rate: Number of decisions per unit of time.
        next_SC: Index of the state after each choice in each state.
        boundary_S: Whether the truncation changes the transitions of each state.
        legal_SC: Whether each choice is legal in each state; None if all are.
    """

    states: Sequence[dict]
    labels: Sequence[str]
    cost_S: np.ndarray
    passive_SS: sparse.csr_matrix
    decision_rate: float
    next_SC: np.ndarray
    boundary_S: np.ndarray
    legal_SC: np.ndarray | None = None

    @cached_property
    def _passive_generator(self) -> sparse.csr_matrix:
        rates = self.passive_SS.copy()
        rates.setdiag(0)
        return (rates - sparse.diags(np.asarray(rates.sum(axis=1)).ravel())).tocsr()

    def generator(self, policy_SC: np.ndarray) -> sparse.csc_matrix:
        """Returns the generator under a policy, given as the probability of each choice in each state."""
        count, choices = self.next_SC.shape
        rows = np.repeat(np.arange(count), choices)
        moves = sparse.csr_matrix((policy_SC.ravel(), (rows, self.next_SC.ravel())), shape=(count, count))
        return sparse.csc_matrix(
            self._passive_generator + self.decision_rate * (moves - sparse.identity(count))
        )

    def system(self, policy_SC: np.ndarray) -> tuple[sparse.csc_matrix, np.ndarray, np.ndarray]:
        """Returns minus the generator under a policy, and each state's cost and time per unit of time (S)."""
        return -self.generator(policy_SC), self.cost_S, np.ones_like(self.cost_S)

    def values(self, bias_S: np.ndarray, gain: float) -> np.ndarray:
        """Returns the cost-to-go of each choice in each state (S, C), up to a constant per state.

        The cost of an illegal choice is infinite.
        """
        values_SC = bias_S[self.next_SC]
        return values_SC if self.legal_SC is None else np.where(self.legal_SC, values_SC, np.inf)


@dataclass(frozen=True)
class DecisionProcess:
    """A finite semi-Markov decision process, described at its decision epochs (an embedded Markov chain).

    Each choice has a distribution of the next epoch's state, and an expected cost and time until then. A
    chain in continuous time has this form by uniformization (every epoch lasts 1 / rate), a process in
    discrete time with epochs of length 1. Axes: S states, C choices.

    Attributes:
        states: Observation (the result of `observe`) in each state, length S.
        labels: Labels of the choices, length C.
        legal_SC: Whether each choice is legal in each state.
        moves: Transition probabilities to the next epoch's state (S, S), for each choice; rows of states in
            which the choice is illegal are ignored.
        cost_SC: Expected cost up to the next epoch.
        time_SC: Expected time up to the next epoch.
        boundary_S: Whether the truncation changes the transitions of each state.
    """

    states: Sequence[dict]
    labels: Sequence[str]
    legal_SC: np.ndarray
    moves: Sequence[sparse.csr_matrix]
    cost_SC: np.ndarray
    time_SC: np.ndarray
    boundary_S: np.ndarray

    def system(self, policy_SC: np.ndarray) -> tuple[sparse.csc_matrix, np.ndarray, np.ndarray]:
        """Returns the identity minus the transition matrix, and an epoch's cost and time per state (S)."""
        moves = sum(sparse.diags(policy_SC[:, c]) @ move for c, move in enumerate(self.moves))
        stay = sparse.csc_matrix(sparse.identity(len(self.states)) - moves)
        return stay, (policy_SC * self.cost_SC).sum(axis=1), (policy_SC * self.time_SC).sum(axis=1)

    def values(self, bias_S: np.ndarray, gain: float) -> np.ndarray:
        """Returns the cost-to-go of each choice in each state (S, C), infinite for illegal choices."""
        onward_SC = np.stack([move @ bias_S for move in self.moves], axis=1)
        return np.where(self.legal_SC, self.cost_SC - gain * self.time_SC + onward_SC, np.inf)


Solvable = MarkovProcess | DecisionProcess
"""A process that can be solved; both classes give a policy's transitions and the values of the choices."""


def solvable(simulator: type, kind: str) -> bool:
    """Returns whether a simulator's long-run costs can be solved for: it has `markov`, and a steady state.

    Args:
        simulator: Class of the simulator.
        kind: Kind of the task, such as `steady_state`.
    """
    return kind == "steady_state" and getattr(simulator, "markov", None) is not None


def legal(process: Solvable) -> np.ndarray:
    """Returns whether each choice is legal in each state (S, C)."""
    if process.legal_SC is not None:
        return process.legal_SC
    return np.ones((len(process.states), len(process.labels)), dtype=bool)
