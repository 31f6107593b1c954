"""Policies: rules that take one of the legal choices in a state.

`policy(state, choices)` is the only way in which a policy is called. A policy that answers many states
faster together than one by one offers `many(states, choices_S)` as well, with the same answers, for
`decide_many`. A policy that draws random numbers offers `with_streams(streams)`, which returns it for one
run, and `probabilities(state, choices)`, by which its long-run cost can be solved for. Axes: S states.
"""

import pickle
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from simdistill.simulation.states import State
from simdistill.simulation.streams import Streams


class Policy(Protocol):
    """Takes what `observe` returned and the labels of the legal choices; returns one of the labels."""

    # Any, and not State: a function whose parameter is annotated as a dict is a policy, too.
    def __call__(self, state: Any, choices: Sequence[str], /) -> str: ...


class RandomPolicy:
    """Takes every legal choice equally often.

    Its draws belong to the number of the decision in the episode, so that a replay repeats them.

    Args:
        streams: Where its random numbers come from.
    """

    def __init__(self, streams: Streams):
        self._streams, self._count = streams, 0

    def with_streams(self, streams: Streams) -> "RandomPolicy":
        """Returns the policy at the beginning of a run, with the run's own random numbers."""
        return RandomPolicy(streams)

    def probabilities(self, state: State, choices: Sequence[str]) -> list[float]:
        """Returns the probability of each choice."""
        return [1.0 / len(choices)] * len(choices)

    def __call__(self, state: State, choices: Sequence[str]) -> str:
        self._count += 1
        return choices[int(self._streams.uniform("random policy", self._count) * len(choices))]


def decide_many(policy: Policy, states: Sequence[State], choices_S: Sequence[Sequence[str]]) -> list[str]:
    """Returns a policy's choice in each state, all at once where the policy can.

    Args:
        policy: Decides.
        states: What is observed in each state (S).
        choices_S: Labels of the legal choices of each state.
    """
    many = getattr(policy, "many", None)
    if many is not None:
        return many(states, choices_S)
    return [policy(state, choices) for state, choices in zip(states, choices_S, strict=True)]


def with_streams(policy: Policy, streams: Streams) -> Policy:
    """Returns a policy for one run: one that draws random numbers draws them from the run's own streams.

    A policy that decides by state and choices alone is returned as it is. Without this, a policy shared by
    several runs would draw in the order in which they happen to be simulated.

    Args:
        policy: A policy as its author wrote it.
        streams: Random numbers of the run.
    """
    own = getattr(policy, "with_streams", None)
    if own is None and (own := getattr(policy, "started", None)) is not None:
        name = type(policy).__qualname__
        warnings.warn(f"{name}.started() is now called with_streams()", DeprecationWarning, stacklevel=2)
    return policy if own is None else own(streams)


def deciding(policy: Policy, states: Sequence[State]) -> Policy:
    """Returns the policy that decides in these states.

    It is the policy itself, unless it is a fit that knows none of the states and leaves them to its fallback.
    """
    fallback, knows = getattr(policy, "fallback", None), getattr(policy, "knows", None)
    if fallback is not None and knows is not None and not any(map(knows, states)):
        return deciding(fallback, states)
    return policy


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
