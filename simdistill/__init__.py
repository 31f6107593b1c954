"""From a SimPy process model to a small language model that runs the process.

Names are imported when they are first used; only Gymnasium is told of the simulators at once:

    import gymnasium, simdistill
    env = gymnasium.make("simdistill/Queueing-v0", arrival_rate=2.0, service_rates=(2.0, 0.5))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from simdistill.environment import register_environments

if TYPE_CHECKING:
    from simdistill import adapt
    from simdistill.config import RunConfig, compose
    from simdistill.errors import InputError, ProcessError
    from simdistill.process import (
        WAIT,
        Decision,
        Parameters,
        ProcessModel,
        Quantity,
        deterministic,
        exponential,
        gamma,
        letters,
        uniform,
    )
    from simdistill.process.check import check_simulator
    from simdistill.registry import register

__version__ = "0.1.0"

__all__ = [
    "WAIT",
    "Decision",
    "InputError",
    "Parameters",
    "ProcessError",
    "ProcessModel",
    "Quantity",
    "RunConfig",
    "adapt",
    "check_simulator",
    "compose",
    "deterministic",
    "exponential",
    "gamma",
    "letters",
    "register",
    "uniform",
]

_MODULES = {
    "InputError": "simdistill.errors",
    "ProcessError": "simdistill.errors",
    "RunConfig": "simdistill.config",
    "check_simulator": "simdistill.process.check",
    "compose": "simdistill.config",
    "register": "simdistill.registry",
}
"""Where names come from; those not listed come from `simdistill.process`."""

register_environments()


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'simdistill' has no attribute '{name}'", name=name, obj=None)
    if name == "adapt":
        return import_module("simdistill.adapt")
    return getattr(import_module(_MODULES.get(name, "simdistill.process")), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
