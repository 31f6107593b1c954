"""Iterative solution of networks with more than two classes."""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, bicgstab, splu

from simdistill.errors import InputError
from simdistill.mdp import DecisionProcess

RESTARTS = 10
"""Largest number of starts of the iterative solver."""


class Iteration:
    """Solves networks with more than two classes, where a sparse factorization would have too much fill-in.

    Uses BiCGSTAB, preconditioned by one sweep of Gauss-Seidel (Stewart, Introduction to the Numerical
    Solution of Markov Chains, chapters 3 and 4). Each solution starts from the previous one.
    """

    def __init__(self, process: DecisionProcess):
        self.process = process
        self.visits_S, self.bias_S = np.zeros((2, len(process.states) - 1))

    def stationary(self, policy_SC: np.ndarray) -> np.ndarray:
        """Returns the probability of each state over epochs.

        Raises:
            InputError: If the solver doesn't converge, as for a policy under which the queues grow.
        """
        system, _, _ = self.process.system(policy_SC)
        from_first = -system[0, 1:].toarray().ravel()
        self.visits_S = _converged(system[1:, 1:].T.tocsr(), from_first, self.visits_S, 1e-10)
        return np.concatenate([[1.0], self.visits_S]) / (1.0 + self.visits_S.sum())

    def optimum(self, policy_SC: np.ndarray, tolerance: float = 1e-5) -> np.ndarray:
        """Returns a policy that policy iteration improves by at most a share `tolerance` of the cost.

        A step's improvement is estimated as the saving in each state, weighted by the initial policy's
        stationary probability of the state.
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
    for _ in range(RESTARTS):  # BiCGSTAB may break down; a restart then continues
        found, failed = bicgstab(matrix, right, found, M=preconditioner, rtol=tolerance, maxiter=1_000)
        if not failed:
            return found
    raise InputError(f"the solution for {len(right):,} states didn't converge; do the queues grow?")
