"""Policy evaluation of a Markov process: long-run average cost, stationary distribution and bias."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import breadth_first_order, connected_components
from scipy.sparse.linalg import splu

from simdistill.mdp.model import Solvable

RARE = 1e-7
"""Stationary probability below which visits to a state are too rare to divide time into cycles."""


@dataclass(frozen=True)
class Evaluation:
    """Long-run behaviour of a process under one policy.

    Attributes:
        cost: Average cost per unit of time.
        stationary_S: Stationary probability of each state: over time in a MarkovProcess, over decision epochs
            in a DecisionProcess.
        bias_S: Relative value of each state (0 in state 0), in cost units.
        boundary: Probability of the truncation's boundary; if it is large, the queues grow.
    """

    cost: float
    stationary_S: np.ndarray
    bias_S: np.ndarray
    boundary: float


def evaluate(process: Solvable, policy_SC: np.ndarray) -> Evaluation:
    """Returns the average cost, stationary distribution and bias of a policy.

    Args:
        process: The process. If it has several closed classes of states under the policy, the result is that
            of the first one that a breadth-first search from state 0 reaches.
        policy_SC: Probability of each choice in each state.
    """
    system, cost_S, time_S = process.system(policy_SC)
    first, trapped_S = _recurrent(system)
    solve = partial(_renewal, process, system, cost_S, time_S)
    try:
        evaluation = solve(first, 1e-9 * trapped_S)
    except RuntimeError:  # singular: the rates out of some states are so small that rounding makes them 0
        return solve(_likely(system, first), 1e-12 + 1e-9 * trapped_S)
    if evaluation.stationary_S[first] > RARE:
        return evaluation
    # A cycle that lasts too long makes rounding errors dominate.
    return solve(int(np.abs(evaluation.stationary_S).argmax()), 1e-9 * trapped_S)


def _recurrent(system: sparse.csc_matrix) -> tuple[int, np.ndarray]:
    """Returns a recurrent state (state 0 if it is), and the recurrent states that never lead to it (S)."""
    moves = abs(system)
    moves.data[moves.data < 1e-13 * moves.data.max()] = 0.0  # such rates are lost in rounding
    moves.eliminate_zeros()
    _, part_S = connected_components(moves, directed=True, connection="strong")
    rows, columns = moves.nonzero()
    open_parts = np.unique(part_S[rows[part_S[rows] != part_S[columns]]])
    closed_S = ~np.isin(part_S, open_parts)
    reached = breadth_first_order(moves, 0, return_predecessors=False)
    first = int(reached[closed_S[reached]][0])
    return first, closed_S & (part_S != part_S[first])


def _likely(system: sparse.csc_matrix, first: int, steps: int = 1000) -> int:
    """Returns the most likely state after a number of uniformized steps from the state `first`."""
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
    """Evaluates a policy by the cycles between visits to the state `first` (renewal reward).

    The rates `escape_S` to that state are added; without them the system would be singular where states can't
    reach it.
    """
    other_S = np.arange(len(cost_S)) != first
    rest = system[other_S][:, other_S] + sparse.diags(escape_S[other_S])
    leaving = -system[first].toarray().ravel()[other_S]
    # Without one state the system is an M-matrix, which needs no pivoting; the order only preserves sparsity.
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
