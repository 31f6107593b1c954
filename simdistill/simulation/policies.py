"""Policies: what decides in a process."""

import pickle
import warnings
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from simdistill.simulation.streams import Streams

Policy = Callable[[dict, Sequence[str]], str]
"""State and labels of the legal choices -> label of the choice taken."""


class RandomPolicy:
    """Takes every legal choice equally often.

    Its draws belong to the number of the decision in the episode, so that a replay repeats them.
    """

    def __init__(self, streams: Streams):
        self._streams, self._count = streams, 0

    def with_streams(self, streams: Streams) -> "RandomPolicy":
        """Returns the policy at the beginning of a run with the run's own random numbers."""
        return RandomPolicy(streams)

    def __call__(self, state: dict, choices: Sequence[str]) -> str:
        self._count += 1
        return choices[int(self._streams.uniform("random policy", self._count) * len(choices))]

    def tabulate(self, states: Sequence[dict], choices: Sequence[str]) -> np.ndarray:
        """Returns the probabilities of the choices in every state (S, C)."""
        return np.full((len(states), len(choices)), 1.0 / len(choices))


def with_streams(policy: Policy, streams: Streams) -> Policy:
    """Returns a policy for one run: one that draws random numbers draws the run's own.

    A policy that decides by state and choices alone is returned as it is. Without this a policy shared by
    runs would draw by the order in which they happen to be simulated.
    """
    own = getattr(policy, "with_streams", None)
    if own is None and (own := getattr(policy, "started", None)) is not None:
        warnings.warn(
            f"{type(policy).__qualname__}.started() is now called with_streams()",
            DeprecationWarning,
            stacklevel=2,
        )
    return policy if own is None else own(streams)


def unsendable(policies: Mapping[str, Policy]) -> list[str]:
    """Returns what is wrong with each policy that can't be sent to worker processes, and what to do."""
    found = []
    for name, policy in policies.items():
        try:
            pickle.dumps(policy)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            found.append(
                f"policy '{name}' can't be sent to worker processes ({error}); write it as a function of its "
                "module, or as functools.partial of one, or run with workers=1"
            )
    return found
