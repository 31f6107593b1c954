"""The SimPy side: everything that a simulator's author touches."""

import warnings
from typing import Any

from simdistill.simulation.decisions import WAIT, Decision, Quantity, letters
from simdistill.simulation.distributions import (
    Deterministic,
    Distribution,
    Exponential,
    Gamma,
    Uniform,
    categorical,
    deterministic,
    exponential,
    gamma,
    lognormal,
    mixture,
    shifted,
    triangular,
    truncated,
    uniform,
    weibull,
)
from simdistill.simulation.forecasts import Forecast
from simdistill.simulation.known_case import Experiment, KnownCase
from simdistill.simulation.model import ProcessModel
from simdistill.simulation.parameters import Parameters
from simdistill.simulation.policies import Policy
from simdistill.simulation.states import numbers
from simdistill.simulation.streams import (
    EPISODE,
    FUTURE,
    PLAN,
    SAMPLE,
    TEST,
    TRAIN,
    VALIDATION,
    Streams,
    World,
    generator,
)

__all__ = [
    "EPISODE",
    "FUTURE",
    "PLAN",
    "SAMPLE",
    "TEST",
    "TRAIN",
    "VALIDATION",
    "WAIT",
    "Decision",
    "Deterministic",
    "Distribution",
    "Experiment",
    "Exponential",
    "Forecast",
    "Gamma",
    "KnownCase",
    "Parameters",
    "Policy",
    "ProcessModel",
    "Quantity",
    "Streams",
    "Uniform",
    "World",
    "categorical",
    "deterministic",
    "exponential",
    "gamma",
    "generator",
    "letters",
    "lognormal",
    "mixture",
    "numbers",
    "shifted",
    "triangular",
    "truncated",
    "uniform",
    "weibull",
]


def __getattr__(name: str) -> Any:
    if name == "TUNE":
        warnings.warn("TUNE is now called VALIDATION", DeprecationWarning, stacklevel=2)
        return VALIDATION
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
