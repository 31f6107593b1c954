"""Policies as tables: the probability of each choice in each state."""

from collections.abc import Callable, Sequence

import numpy as np

from simdistill.mdp.model import Solvable, legal


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


def uniform_policy(process: Solvable) -> np.ndarray:
    """Returns the policy that takes every legal choice equally often (S, C)."""
    legal_SC = legal(process)
    return legal_SC / legal_SC.sum(axis=1, keepdims=True)
