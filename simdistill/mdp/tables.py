"""Policies as tables: the probability of each choice in each state."""

import numpy as np

from simdistill.mdp.model import Solvable, legal
from simdistill.simulation.policies import Policy, decide_many, draws_equally


def tabulate(process: Solvable, policy: Policy) -> np.ndarray:
    """Returns a policy's probabilities of the choices in every state (S, C).

    A policy that takes every legal choice equally often is uniform. Any other policy is asked in each state
    that has more than one legal choice; the choice that it takes has probability 1.
    """
    if draws_equally(policy, process.states):
        return uniform_policy(process)
    legal_SC = legal(process)
    choices_S = [
        [label for label, allowed in zip(process.labels, row, strict=True) if allowed]
        for row in legal_SC.tolist()
    ]
    decided = [row for row, choices in enumerate(choices_S) if len(choices) > 1]
    answers = decide_many(
        policy, [process.states[row] for row in decided], [choices_S[row] for row in decided]
    )
    choice_S = [choices[0] for choices in choices_S]
    for row, answer in zip(decided, answers, strict=True):
        choice_S[row] = answer
    column = {label: number for number, label in enumerate(process.labels)}
    return np.eye(len(process.labels))[[column[label] for label in choice_S]]


def uniform_policy(process: Solvable) -> np.ndarray:
    """Returns the policy that takes every legal choice equally often (S, C)."""
    legal_SC = legal(process)
    return legal_SC / legal_SC.sum(axis=1, keepdims=True)
