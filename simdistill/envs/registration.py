"""Simulators as Gymnasium environments: their ids, and making them known."""

import re

import gymnasium.envs.registration as environments

from simdistill import registry

ENTRY_POINT = "simdistill.envs.simulator_env:SimulatorEnv"
RISEN = {"inventory": 1, "job_shop": 1, "supply_chain": 1}
"""Newest version of the environments that have several; version 0 leaves texts out of the observation."""


def register(name: str, target: str, kind: str = "simulators") -> None:
    """Makes "module:attribute" known under a name until the program ends; it goes before entry points.

    Worker processes that are started from then on know the name, too, and a simulator becomes a Gymnasium
    environment.

    Args:
        name: Name by which configurations refer to it.
        target: Where it is found, e.g. "my_package.clinic:Clinic".
        kind: What it is: one of `simdistill.registry.KINDS`.

    Raises:
        InputError: When the kind is unknown or the target isn't written "module:attribute".
    """
    registry.register(name, target, kind)
    if kind == "simulators":
        register_environments()


def environment_id(simulator: str, version: int | None = None) -> str:
    """Returns the Gymnasium id of a registered simulator, e.g. `simdistill/Queueing-v0`.

    Args:
        simulator: Name of the simulator.
        version: Number of the version; None for the newest one.
    """
    camel = "".join(part.capitalize() for part in re.split(r"[_\W]+", simulator))
    newest = RISEN.get(re.sub(r"\W+", "_", simulator), 0)
    return f"simdistill/{camel}-v{newest if version is None else version}"


def register_environments() -> None:
    """Registers every known simulator with Gymnasium; `import simdistill` does it."""
    for name in registry.names("simulators"):
        for version in range(RISEN.get(name, 0) + 1):
            known = environment_id(name, version)
            if known not in environments.registry:
                old = {"only_numbers": True} if version < RISEN.get(name, 0) else {}
                environments.register(id=known, entry_point=ENTRY_POINT, kwargs={"simulator": name, **old})
