"""Function-style SimPy models as simulators; the names are those of `simdistill.simulation.functional`."""

from simdistill.simulation.functional import (
    FunctionModel,
    bind,
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
    rng,
    tally,
)

__all__ = [
    "FunctionModel",
    "bind",
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
    "rng",
    "tally",
]
