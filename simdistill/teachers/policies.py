"""Policies by name."""

from simdistill import registry
from simdistill.simulation import PLAN, TRAIN, Policy, Streams
from simdistill.simulation.policies import RandomPolicy


def base_policy(simulator: str, name: str) -> Policy:
    """Returns a policy of a simulator by name; `random` fits every simulator."""
    if name == "random":
        return RandomPolicy(Streams((0, TRAIN, PLAN)))
    return registry.policies(simulator)[name]
