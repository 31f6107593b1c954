"""Policy iteration for the average cost (Puterman, Markov Decision Processes, chapters 8.6 and 11)."""

import numpy as np

from simdistill.mdp.evaluation import Evaluation, evaluate
from simdistill.mdp.model import Solvable


def choice_values(process: Solvable, evaluation: Evaluation) -> np.ndarray:
    """Returns each choice's exact extra cost over the best choice (S, C), if the policy decides from then on.

    Args:
        process: The process.
        evaluation: The policy's evaluation.
    """
    values_SC = process.values(evaluation.bias_S, evaluation.cost)
    return values_SC - values_SC.min(axis=1, keepdims=True)


def optimum(
    process: Solvable, start_SC: np.ndarray, tolerance: float = 1e-10
) -> tuple[np.ndarray, Evaluation]:
    """Finds the policy of least average cost by policy iteration.

    Args:
        process: The process.
        start_SC: Initial policy, under which the process is stable.
        tolerance: Relative improvement of the average cost below which iteration ends; in states with very
            small probability the choice may then not be the best one.

    Returns:
        The optimal policy (S, C), with probability 1 for one choice per state, and its evaluation.
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
