"""Exact long-run average costs of Markov processes with decisions, by sparse linear solves.

A simulator whose observation is the Markov state offers `markov(params, size)`: a `MarkovProcess` where
decisions fall at the points of one Poisson process (the arrivals), so that costs seen by arrivals and over
time agree (PASTA), or a `DecisionProcess` for everything else. Policies are then evaluated without noise, and
the optimum is found by policy iteration (Puterman, Markov Decision Processes, chapter 8.6; continuous time as
in chapter 11).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import breadth_first_order, connected_components
from scipy.sparse.linalg import splu

from simdistill.errors import InputError

RARE = 1e-7
"""Probability of a state that is too small to count cycles by its visits."""


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
            those of the first one that is reached from state 0.
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
    moves.data[moves.data < 1e-13 * moves.data.max()] = 0.0  # no elimination can tell these from never
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


def choice_values(process: Solvable, evaluation: Evaluation) -> np.ndarray:
    """Returns the exact cost difference of each choice to the best one, then following the policy (S, C)."""
    values_SC = process.values(evaluation.bias_S, evaluation.cost)
    return values_SC - values_SC.min(axis=1, keepdims=True)


def optimum(
    process: Solvable, start_SC: np.ndarray, tolerance: float = 1e-10
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
        values_SC = process.values(evaluation.bias_S, evaluation.cost)
        held_S = (policy_SC * np.where(policy_SC > 0, values_SC, 0.0)).sum(axis=1)
        improvable_S = held_S > values_SC.min(axis=1) + 1e-9 * (1 + np.abs(held_S))
        policy_SC = policy_SC.copy()
        policy_SC[improvable_S] = np.eye(len(process.labels))[values_SC[improvable_S].argmin(axis=1)]
        before, evaluation = evaluation.cost, evaluate(process, policy_SC)
        if before - evaluation.cost <= tolerance * abs(evaluation.cost):
            return policy_SC, evaluation


def solvable(simulator: type, kind: str) -> bool:
    """Returns whether a simulator's long-run costs can be solved for: it has `markov` and a steady state."""
    return kind == "steady_state" and getattr(simulator, "markov", None) is not None


def tabulate(process: Solvable, policy: Callable[[dict, Sequence[str]], str]) -> np.ndarray:
    """Asks a policy in every state; returns probabilities of the choices (S, C).

    A policy with a method `tabulate(states, labels)` is asked all states at once where all choices are legal;
    a state with one choice is nothing to ask.
    """
    at_once = getattr(policy, "tabulate", None)
    legal_SC = legal(process)
    if at_once is not None and legal_SC.all():
        return at_once(process.states, process.labels)
    index = {label: column for column, label in enumerate(process.labels)}
    choices_S = [[label for label, c in index.items() if row[c]] for row in legal_SC.tolist()]
    columns_S = [
        index[policy(state, choices) if len(choices) > 1 else choices[0]]
        for state, choices in zip(process.states, choices_S, strict=True)
    ]
    return np.eye(len(process.labels))[columns_S]


def legal(process: Solvable) -> np.ndarray:
    """Returns which choices each state has (S, C)."""
    if process.legal_SC is not None:
        return process.legal_SC
    return np.ones((len(process.states), len(process.labels)), dtype=bool)


def uniform_policy(process: Solvable) -> np.ndarray:
    """Returns the policy that takes every legal choice equally often (S, C)."""
    legal_SC = legal(process)
    return legal_SC / legal_SC.sum(axis=1, keepdims=True)


def fitting_size(
    build: Callable[[int], Solvable],
    policy: Callable[[Solvable], np.ndarray],
    negligible: float = 1e-7,
    sizes: Sequence[int] = (40, 80, 160),
) -> tuple[Solvable, Evaluation] | None:
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
