"""Truncation of unbounded processes: finds a size that is large enough."""

from collections.abc import Callable, Sequence

import numpy as np

from simdistill.errors import InputError
from simdistill.mdp.evaluation import Evaluation, evaluate
from simdistill.mdp.model import Solvable


def fitting_size(
    build: Callable[[int], Solvable],
    policy: Callable[[Solvable], np.ndarray],
    negligible: float = 1e-7,
    sizes: Sequence[int] = (40, 80, 160),
) -> tuple[Solvable, Evaluation] | None:
    """Enlarges a truncation until the probability of its boundary is negligible.

    Args:
        build: Function that returns the process truncated at a size.
        policy: Function that returns the policy's table for a process.
        negligible: Probability of the boundary up to which the truncation is large enough.
        sizes: Sizes to try, in order.

    Returns:
        The process and its evaluation; None if the probability isn't negligible at the largest size, for
        instance because the queues grow without bound.
    """
    if not sizes:
        raise InputError("sizes is empty; give at least one truncation size to try")
    for size in sizes:
        process = build(size)
        evaluation = evaluate(process, policy(process))
        if evaluation.boundary <= negligible:
            return process, evaluation
    return None
