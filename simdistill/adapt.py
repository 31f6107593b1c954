"""Function-style SimPy models as simulators; the names are those of `simdistill.simulation.functional`."""

from simdistill.simulation.functional import (
    FunctionModel,
    charge,
    choose,
    cost_rate,
    decide,
    draw,
    duration,
    final_cost,
    fingerprint,
    level,
    model_of,
    poisson,
    process_model,
    tally,
)

__all__ = [
    "FunctionModel",
    "charge",
    "choose",
    "cost_rate",
    "decide",
    "draw",
    "duration",
    "final_cost",
    "fingerprint",
    "level",
    "model_of",
    "poisson",
    "process_model",
    "tally",
]
