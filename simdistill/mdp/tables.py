"""Policies as tables: the probability of each choice in each state."""

import numpy as np

from simdistill.mdp.model import Solvable, legal
from simdistill.simulation.policies import Policy, decide_many, deciding


def tabulate(process: Solvable, policy: Policy) -> np.ndarray:
    """Returns a policy's probability of each choice in every state (S, C).

    The policy decides in each state that has more than one legal choice. A policy that draws random numbers
    must have `probabilities(state, choices)`; the choice of any other policy has probability 1.
    """
    policy_SC = uniform_policy(process)
    column = {label: number for number, label in enumerate(process.labels)}
    choices_S = [[label for label in column if row[column[label]]] for row in legal(process).tolist()]
    decided = [row for row, choices in enumerate(choices_S) if len(choices) > 1]
    states, choices_S = [process.states[row] for row in decided], [choices_S[row] for row in decided]
    probabilities = getattr(deciding(policy, process.states), "probabilities", None)
    if probabilities is not None:
        for row, state, choices in zip(decided, states, choices_S, strict=True):
            policy_SC[row, [column[label] for label in choices]] = probabilities(state, choices)
    else:
        labels = decide_many(policy, states, choices_S)
        policy_SC[decided] = np.eye(len(column))[[column[label] for label in labels]]
    return policy_SC


def uniform_policy(process: Solvable) -> np.ndarray:
    """Returns the table of the policy that takes all legal choices with equal probability (S, C)."""
    legal_SC = legal(process)
    return legal_SC / legal_SC.sum(axis=1, keepdims=True)
