"""The Gymnasium side: simulators as environments, states in words."""

import re

from gymnasium.envs.registration import register, registry

from simdistill import registry as simulators

ENTRY_POINT = "simdistill.envs.simulator_env:SimulatorEnv"


def environment_id(simulator: str) -> str:
    """Returns the Gymnasium id of a registered simulator, e.g. `simdistill/Queueing-v0`."""
    camel = "".join(part.capitalize() for part in re.split(r"[_\W]+", simulator))
    return f"simdistill/{camel}-v0"


def register_environments() -> None:
    """Registers every known simulator with Gymnasium; `import simdistill` does it."""
    for name in simulators.names("simulators"):
        if environment_id(name) not in registry:
            register(id=environment_id(name), entry_point=ENTRY_POINT, kwargs={"simulator": name})
