"""Markov processes with decisions: a chain with decisions at Poisson points, or a semi-Markov process."""

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
        states: What `observe` gives in each state, length S.
        labels: Labels of the choices, length C.
        cost_S: Cost per unit of time in each state.
        passive_SS: Rates of the transitions without a decision; the diagonal is ignored.
        decision_rate: Decisions per unit of time.
        next_SC: State after each choice in each state.
        boundary_S: True where the truncation is felt.
        legal_SC: Which choices a state has; None for all.
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
        """Returns the generator under a policy given as probabilities of the choices in each state."""
        count, choices = self.next_SC.shape
        rows = np.repeat(np.arange(count), choices)
        moves = sparse.csr_matrix((policy_SC.ravel(), (rows, self.next_SC.ravel())), shape=(count, count))
        return sparse.csc_matrix(
            self._passive_generator + self.decision_rate * (moves - sparse.identity(count))
        )

    def system(self, policy_SC: np.ndarray) -> tuple[sparse.csc_matrix, np.ndarray, np.ndarray]:
        """Returns (minus the generator, cost (S), time (S)) of one visit's rates under a policy."""
        return -self.generator(policy_SC), self.cost_S, np.ones_like(self.cost_S)

    def values(self, bias_S: np.ndarray, gain: float) -> np.ndarray:
        """Returns the cost-to-go of each choice in each state (S, C), up to a constant per state.

        It is infinite where a choice isn't legal.
        """
        values_SC = bias_S[self.next_SC]
        return values_SC if self.legal_SC is None else np.where(self.legal_SC, values_SC, np.inf)


@dataclass(frozen=True)
class DecisionProcess:
    """A finite semi-Markov decision process, seen at its decision epochs.

    A choice takes it to the next epoch; what happens in between is an expectation. A chain in continuous time
    fits by uniformization (every epoch lasts 1 / rate), a process in discrete time with epochs of length 1.
    Axes: S states, C choices.

    Attributes:
        states: What `observe` gives in each state, length S.
        labels: Labels of the choices, length C.
        legal_SC: Which choices a state has.
        moves: For each choice the probabilities of the next epoch's state (S, S); rows of choices that aren't
            legal don't matter.
        cost_SC: Expected cost up to the next epoch.
        time_SC: Expected time up to the next epoch.
        boundary_S: True where the truncation is felt.
    """

    states: Sequence[dict]
    labels: Sequence[str]
    legal_SC: np.ndarray
    moves: Sequence[sparse.csr_matrix]
    cost_SC: np.ndarray
    time_SC: np.ndarray
    boundary_S: np.ndarray

    def system(self, policy_SC: np.ndarray) -> tuple[sparse.csc_matrix, np.ndarray, np.ndarray]:
        """Returns (identity minus transition probabilities, cost (S), time (S)) of an epoch."""
        moves = sum(sparse.diags(policy_SC[:, c]) @ move for c, move in enumerate(self.moves))
        stay = sparse.csc_matrix(sparse.identity(len(self.states)) - moves)
        return stay, (policy_SC * self.cost_SC).sum(axis=1), (policy_SC * self.time_SC).sum(axis=1)

    def values(self, bias_S: np.ndarray, gain: float) -> np.ndarray:
        """Returns the cost-to-go of each choice in each state (S, C), infinite where it isn't legal."""
        onward_SC = np.stack([move @ bias_S for move in self.moves], axis=1)
        return np.where(self.legal_SC, self.cost_SC - gain * self.time_SC + onward_SC, np.inf)


Solvable = MarkovProcess | DecisionProcess
"""What can be solved: both say how a policy moves the process and what a choice is worth."""


def solvable(simulator: type, kind: str) -> bool:
    """Returns whether a simulator's long-run costs can be solved for: it has `markov` and a steady state."""
    return kind == "steady_state" and getattr(simulator, "markov", None) is not None


def legal(process: Solvable) -> np.ndarray:
    """Returns which choices each state has (S, C)."""
    if process.legal_SC is not None:
        return process.legal_SC
    return np.ones((len(process.states), len(process.labels)), dtype=bool)
