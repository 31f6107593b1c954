"""Policies by name."""

from simdistill import registry
from simdistill.errors import InputError
from simdistill.simulation import PLAN, TRAIN, Policy, Streams
from simdistill.simulation.policies import RandomPolicy


def named_policy(simulator: str, name: str) -> Policy:
    """Returns a policy by name.

    Args:
        simulator: Name of the simulator.
        name: "random", the name of a policy of the simulator, a registered name, or "module:function".

    Raises:
        InputError: There is no such policy.
    """
    if name == "random":
        return RandomPolicy(Streams((0, TRAIN, PLAN)))
    policies = registry.policies(simulator)
    if name in policies:
        return policies[name]
    if ":" in name or name in registry.names("teachers"):
        return registry.load("teachers", name)
    raise InputError(registry.unknown("policy", name, ["random", *policies]))
