"""Function-style SimPy models as simulators; the names are those of `simdistill.simulation.functional`."""

from simdistill.simulation.functional import (
    FunctionModel,
    charge,
    cost_rate,
    decide,
    draw,
    duration,
    figures,
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
    "cost_rate",
    "decide",
    "draw",
    "duration",
    "figures",
    "final_cost",
    "fingerprint",
    "level",
    "model_of",
    "poisson",
    "process_model",
    "tally",
]
