"""Policies as JSON values, without pickles, so that a run's folder is safe to share.

A policy is stored as the name of a simulator's policy, as "module:function", as a fitted network, or as
{"class": "module:class", "json": value}. The last form is for an object with `as_json()`, which returns the
value, whose class has `from_json()`.
"""

from typing import Any

import numpy as np

from simdistill import registry
from simdistill.errors import InputError
from simdistill.simulation import Policy
from simdistill.simulation.policies import RandomPolicy
from simdistill.teachers.fit_inputs import FitInputs
from simdistill.teachers.policies import named_policy
from simdistill.teachers.value_network import FittedPolicy


def kept_policy(policy: Policy, simulator: str, base: Policy | None = None) -> Any:
    """Returns a policy as a JSON value.

    Args:
        policy: The policy.
        simulator: Name of the simulator.
        base: Policy that is stored elsewhere; a fitted network with this fallback is stored without it.

    Raises:
        InputError: The policy can't be stored in any of the module's forms.
    """
    if isinstance(policy, FittedPolicy):
        own = policy.fallback if policy.fallback is not base else None
        return kept_network(policy) | ({"fallback": kept_policy(own, simulator)} if own is not None else {})
    if isinstance(policy, RandomPolicy):
        return "random"
    for name, known in registry.policies(simulator).items():
        if known is policy:
            return name
    as_json = getattr(policy, "as_json", None)
    if as_json is not None and hasattr(type(policy), "from_json") and _found(type(policy)):
        return {"class": _place(type(policy)), "json": as_json()}
    if _found(policy):
        return _place(policy)
    raise InputError(
        f"the teacher's policy {policy!r} can't be kept in the run's folder. Teach by a policy of the "
        "simulator, by a function of a module, or by an object with as_json() whose class has from_json()"
    )


def policy(plain: Any, simulator: str, fallback: Policy | None = None) -> Policy:
    """Returns the policy of a JSON value; `fallback` is a fitted network's fallback if it has none stored."""
    if isinstance(plain, str):
        return named_policy(simulator, plain)
    if "layers" in plain:
        own = plain.get("fallback")
        return network(plain, fallback if own is None else policy(own, simulator))
    return registry.load("teachers", plain["class"]).from_json(plain["json"])


def kept_network(policy: FittedPolicy) -> dict:
    """Returns a fitted network as a JSON value, without its fallback policy."""
    inputs = {} if policy.inputs is None else {"inputs": policy.inputs.as_json()}
    return inputs | {
        "labels": list(policy.labels),
        "shift": policy.shift_F.tolist(),
        "stretch": policy.stretch_F.tolist(),
        "layers": [[weights.tolist(), biases.tolist()] for weights, biases in policy.layers],
        "scale": policy.scale,
    }


def network(plain: dict, fallback: Policy | None = None) -> FittedPolicy:
    """Returns the fitted network of a JSON value."""
    return FittedPolicy(
        tuple(plain["labels"]),
        np.array(plain["shift"]),
        np.array(plain["stretch"]),
        [(np.array(weights), np.array(biases)) for weights, biases in plain["layers"]],
        plain["scale"],
        fallback,
        FitInputs.from_json(plain["inputs"]) if "inputs" in plain else None,
    )


def _place(thing: Any) -> str:
    """Returns "module:name" of a class or function."""
    return f"{thing.__module__}:{thing.__qualname__}"


def _found(thing: Any) -> bool:
    """Returns whether a class or function can be loaded by its module and name."""
    if not hasattr(thing, "__qualname__"):
        return False
    try:
        return registry.load("teachers", _place(thing)) is thing
    except InputError:
        return False
