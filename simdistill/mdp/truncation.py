"""The size at which an unbounded process may be truncated."""

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
