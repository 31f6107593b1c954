"""From a SimPy process model to a small language model that runs the process.

Names are imported when they are first used; only Gymnasium is told of the simulators at once:

    import gymnasium, simdistill
    env = gymnasium.make("simdistill/Queueing-v0", arrival_rate=2.0, service_rates=(2.0, 0.5))
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simdistill import adapt, inputs
    from simdistill.checker.check import check_simulator
    from simdistill.config import RunConfig, compose
    from simdistill.envs.registration import register
    from simdistill.errors import InputError, ProcessError
    from simdistill.simulation import (
        WAIT,
        Decision,
        Forecast,
        Parameters,
        ProcessModel,
        Quantity,
        categorical,
        deterministic,
        exponential,
        gamma,
        letters,
        lognormal,
        mixture,
        shifted,
        triangular,
        truncated,
        uniform,
        weibull,
    )
    from simdistill.simulation.what_if import what_if

__version__ = "0.1.0"

__all__ = [
    "WAIT",
    "Decision",
    "Forecast",
    "InputError",
    "Parameters",
    "ProcessError",
    "ProcessModel",
    "Quantity",
    "RunConfig",
    "adapt",
    "categorical",
    "check_simulator",
    "compose",
    "deterministic",
    "exponential",
    "gamma",
    "inputs",
    "letters",
    "lognormal",
    "mixture",
    "register",
    "shifted",
    "triangular",
    "truncated",
    "uniform",
    "weibull",
    "what_if",
]

_MODULES = {
    "InputError": "simdistill.errors",
    "ProcessError": "simdistill.errors",
    "RunConfig": "simdistill.config",
    "check_simulator": "simdistill.checker.check",
    "compose": "simdistill.config",
    "register": "simdistill.envs.registration",
    "what_if": "simdistill.simulation.what_if",
}
"""Where names come from; those not listed come from `simdistill.simulation`."""

# The console script makes no environments, and Gymnasium would take most of the time of its --help.
if Path((sys.argv or [""])[0]).stem != "simdistill":
    from simdistill.envs.registration import register_environments

    register_environments()


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'simdistill' has no attribute '{name}'", name=name, obj=None)
    if name in ("adapt", "inputs"):
        return import_module(f"simdistill.{name}")
    return getattr(import_module(_MODULES.get(name, "simdistill.simulation")), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
