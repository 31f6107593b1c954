"""Exact examination of a policy with one parameter set, where the state is Markov.

A policy that decides quickly is queried in every state. A language model is queried only in the states that
matter: the most probable ones under its own policy, which together hold nearly all of the probability.
Axes: S states, C choices, N features of a state.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from scipy.spatial import KDTree

from simdistill import mdp
from simdistill.evaluation.examined import Examined, Table, limits
from simdistill.simulation import Policy
from simdistill.simulation.forms import Encoding
from simdistill.simulation.policies import decide_many
from simdistill.simulation.states import State, key

SIZES = (40, 80, 120, 160)
"""Sizes at which the chain may be truncated; the smallest one that suffices is used."""
NEGLIGIBLE = 1e-6
"""A truncation suffices if its boundary states have less than this probability."""
GROWING = 1e-3
"""From this probability of the boundary states on, queues are taken to grow without bound."""
MOST_ASKED = 1500
"""Query limit per parameter set: once a model was queried in so many states, no more are added.

Under an unstable policy there would be no end to the states that matter.
"""
FAR = 1e3
"""Factor by which features that are 0 or 1, such as values of a category, are stretched.

States that differ in one of them are thereby far apart, so the nearest state has the same categories, if any
state has.
"""
UNSEEN = 1e-10
"""States with a smaller probability practically never occur in a simulation."""


def chain(build: Callable[[int], mdp.Solvable], heuristic: Policy) -> mdp.Solvable:
    """Returns the Markov process, truncated so that the heuristic hardly ever reaches the boundary.

    Args:
        build: Returns the process truncated at a size.
        heuristic: The policy by which a size is judged large enough.
    """
    fitting = mdp.fitting_size(build, lambda process: mdp.tabulate(process, heuristic), NEGLIGIBLE, SIZES)
    return fitting[0] if fitting else build(SIZES[-1])


def examine(process: mdp.Solvable, policy_SC: np.ndarray, fallback: Policy | None) -> Examined:
    """Evaluates a policy whose choice is known in every state.

    Args:
        process: The chain.
        policy_SC: Probability of each choice in each state.
        fallback: The policy for states beyond the chain, in simulation; None if the policy decides at random.
    """
    evaluation = mdp.evaluate(process, policy_SC)
    stable = evaluation.boundary < GROWING
    return Examined(
        evaluation.cost if stable else None,
        None if fallback is None else _table(process, policy_SC, evaluation.stationary_S, fallback),
        policy_SC,
        evaluation.stationary_S,
    )


def examine_where_it_matters(
    process: mdp.Solvable,
    optimum_S: np.ndarray,
    policy: Policy,
    fallback: Policy,
    mass: float,
    extra_S: np.ndarray | None = None,
    most: int | None = None,
) -> Examined:
    """Examines a policy that is costly to query, in the states that its own decisions lead to.

    The policy is assumed to choose in each of the remaining, rare states as in the nearest state in which it
    was queried. States with a single choice need no query.

    Args:
        process: The chain.
        optimum_S: Probability of each state under the optimum; the first queries are in its likeliest states.
        policy: The policy.
        fallback: The policy for states beyond the chain, in simulation.
        mass: Share of the stationary probability whose states the policy itself is queried in.
        extra_S: Further states to query, for the decision map.
        most: Largest number of states to add in one pass, for a policy whose answers cost money.
    """
    legal_SC = mdp.legal(process)
    place_SN = _places(process.states)
    column_S = np.full(len(process.states), -1)
    forced_S = legal_SC.sum(axis=1) == 1
    wanted_S = _core(optimum_S, mass) | _scattered(place_SN)
    if extra_S is not None:
        wanted_S |= extra_S
    while True:
        rows = np.flatnonzero(wanted_S & ~forced_S & (column_S < 0))
        column_S[rows] = _columns(process, legal_SC, rows, policy)
        policy_SC = _nearest(process, legal_SC, place_SN, column_S)
        evaluation = mdp.evaluate(process, policy_SC)
        covered = float(evaluation.stationary_S[forced_S | (column_S >= 0)].sum())
        if covered >= mass or (column_S >= 0).sum() >= MOST_ASKED:
            break
        wanted_S = _core(evaluation.stationary_S, mass + 0.3 * (1 - mass), most)
    return replace(examine(process, policy_SC, fallback), tabulated=covered)


def _places(states: Sequence[State]) -> np.ndarray:
    """Returns states as points (S, N); the nearest one has the same categories, if any state has."""
    encoding = Encoding.of(states)
    return encoding.matrix(states) * np.where(encoding.flags(), FAR, 1.0)


def _columns(process: mdp.Solvable, legal_SC: np.ndarray, rows: np.ndarray, policy: Policy) -> list[int]:
    """Returns the columns of the choices that a policy makes in some states."""
    choices = [[label for label, c in zip(process.labels, legal_SC[r], strict=True) if c] for r in rows]
    labels = decide_many(policy, [process.states[int(r)] for r in rows], choices)
    return [process.labels.index(label) for label in labels]


def _nearest(
    process: mdp.Solvable, legal_SC: np.ndarray, place_SN: np.ndarray, column_S: np.ndarray
) -> np.ndarray:
    """Returns the policy (S, C) that makes in each state the choice of the nearest queried state.

    Args:
        process: The chain.
        legal_SC: Whether each choice is legal; where the nearest state's choice isn't, the policy is uniform.
        place_SN: Each state as a point, from `_places`.
        column_S: Column of the choice in each state; -1 where the policy wasn't queried.
    """
    known = np.flatnonzero(column_S >= 0)
    _, nearest_S = KDTree(place_SN[known]).query(place_SN)
    policy_SC = np.eye(len(process.labels))[column_S[known[nearest_S]]]
    uniform_SC = mdp.uniform_policy(process)
    return np.where((policy_SC * legal_SC).any(axis=1, keepdims=True), policy_SC, uniform_SC)


def _scattered(place_SN: np.ndarray) -> np.ndarray:
    """Returns a few states from all regions of the chain, so that every state has a queried state near it."""
    rounded_SN = np.round(2 * np.log1p(np.abs(place_SN)))
    _, rows = np.unique(rounded_SN, axis=0, return_index=True)
    scattered_S = np.zeros(len(place_SN), dtype=bool)
    scattered_S[rows] = True
    return scattered_S


def _core(stationary_S: np.ndarray, mass: float, most: int | None = None) -> np.ndarray:
    """Returns the smallest set of states that holds the share `mass` of the probability (S).

    If that set has more than `most` states, the `most` most probable ones are returned.
    """
    order_S = np.argsort(-stationary_S, kind="stable")
    count = int(np.searchsorted(np.cumsum(stationary_S[order_S]), mass)) + 1
    core_S = np.zeros(len(stationary_S), dtype=bool)
    core_S[order_S[: min(count, most or count)]] = True
    return core_S


def _table(process: mdp.Solvable, policy_SC: np.ndarray, stationary_S: np.ndarray, fallback: Policy) -> Table:
    """Returns a policy as a table of the states that may occur in a simulation."""
    rows = np.flatnonzero(stationary_S > UNSEEN).tolist()
    labels = [process.labels[int(column)] for column in policy_SC[rows].argmax(axis=1)]
    keys = [key(state) for state in process.states]
    choices = {keys[row]: label for row, label in zip(rows, labels, strict=True)}
    return Table(choices, limits(keys), fallback)
