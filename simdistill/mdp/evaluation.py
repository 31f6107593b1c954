"""The long run of a Markov process under one policy: average cost, stationary distribution and bias."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import breadth_first_order, connected_components
from scipy.sparse.linalg import splu

from simdistill.mdp.model import Solvable

RARE = 1e-7
"""Probability of a state that is too small to count cycles by its visits."""


@dataclass(frozen=True)
class Evaluation:
    """The long run under one policy.

    Attributes:
        cost: Average cost per unit of time.
        stationary_S: Probability of each state: over time in a MarkovProcess, over epochs otherwise.
        bias_S: Relative value of each state (0 in state 0), in cost units.
        boundary: Probability of the truncation's boundary; a large one means that the queues grow.
    """

    cost: float
    stationary_S: np.ndarray
    bias_S: np.ndarray
    boundary: float


def evaluate(process: Solvable, policy_SC: np.ndarray) -> Evaluation:
    """Solves for average cost, stationary distribution and bias of a policy.

    Args:
        process: The chain. Where the policy leaves several sets of states that are never left, the costs are
            the costs of the first one that is reached from state 0.
        policy_SC: Probability of each choice in each state.
    """
    system, cost_S, time_S = process.system(policy_SC)
    first, trapped_S = _recurrent(system)
    solve = partial(_renewal, process, system, cost_S, time_S)
    try:
        evaluation = solve(first, 1e-9 * trapped_S)
    except RuntimeError:  # singular: some states are left so rarely that rounding takes it for never
        return solve(_likely(system, first), 1e-12 + 1e-9 * trapped_S)
    if evaluation.stationary_S[first] > RARE:
        return evaluation
    # A cycle that lasts too long drowns the rest in rounding.
    return solve(int(np.abs(evaluation.stationary_S).argmax()), 1e-9 * trapped_S)


def _recurrent(system: sparse.csc_matrix) -> tuple[int, np.ndarray]:
    """Returns a state that is reached again and again (state 0 if it is), and which ones never lead to it."""
    moves = abs(system)
    moves.data[moves.data < 1e-13 * moves.data.max()] = 0.0  # rounding makes these the same as never
    moves.eliminate_zeros()
    _, part_S = connected_components(moves, directed=True, connection="strong")
    rows, columns = moves.nonzero()
    open_parts = np.unique(part_S[rows[part_S[rows] != part_S[columns]]])
    closed_S = ~np.isin(part_S, open_parts)
    reached = breadth_first_order(moves, 0, return_predecessors=False)
    first = int(reached[closed_S[reached]][0])
    return first, closed_S & (part_S != part_S[first])


def _likely(system: sparse.csc_matrix, first: int, steps: int = 1000) -> int:
    """Returns a likely state some time after a start."""
    rates_S = system.diagonal()
    onward = sparse.csr_matrix(system.T / rates_S.max())
    share_S = np.zeros(len(rates_S))
    share_S[first] = 1.0
    for _ in range(steps):
        share_S = share_S - onward @ share_S
    return int(share_S.argmax())


def _renewal(
    process: Solvable,
    system: sparse.csc_matrix,
    cost_S: np.ndarray,
    time_S: np.ndarray,
    first: int,
    escape_S: np.ndarray,
) -> Evaluation:
    """Solves by the cycles between visits of one state (renewal reward).

    Added rates of escape to that state keep the system regular where it can't be reached.
    """
    other_S = np.arange(len(cost_S)) != first
    rest = system[other_S][:, other_S] + sparse.diags(escape_S[other_S])
    leaving = -system[first].toarray().ravel()[other_S]
    # The system without one state is an M-matrix: no pivoting, the order can follow sparsity alone.
    solver = splu(
        rest.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
    )
    until_first = solver.solve(np.stack([cost_S[other_S], time_S[other_S]], axis=1))
    cycle_cost, cycle_time = np.array([cost_S[first], time_S[first]]) + leaving @ until_first
    cost = cycle_cost / cycle_time
    bias_S, visits_S = np.zeros(len(cost_S)), np.ones(len(cost_S))
    bias_S[other_S] = until_first[:, 0] - cost * until_first[:, 1]
    visits_S[other_S] = solver.solve(leaving, trans="T")
    stationary_S = visits_S / visits_S.sum()
    return Evaluation(float(cost), stationary_S, bias_S - bias_S[0], float(stationary_S @ process.boundary_S))
