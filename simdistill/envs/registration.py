"""Simulators as Gymnasium environments: their ids, and making them known."""

import re

import gymnasium.envs.registration as environments

from simdistill import registry

ENTRY_POINT = "simdistill.envs.simulator_env:SimulatorEnv"


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


def environment_id(simulator: str) -> str:
    """Returns the Gymnasium id of a registered simulator, e.g. `simdistill/Queueing-v0`."""
    camel = "".join(part.capitalize() for part in re.split(r"[_\W]+", simulator))
    return f"simdistill/{camel}-v0"


def register_environments() -> None:
    """Registers every known simulator with Gymnasium; `import simdistill` does it."""
    for name in registry.names("simulators"):
        if environment_id(name) not in environments.registry:
            environments.register(
                id=environment_id(name), entry_point=ENTRY_POINT, kwargs={"simulator": name}
            )
