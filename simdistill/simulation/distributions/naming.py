"""Distributions by name, as files of cases and of measured data write them."""

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from simdistill.simulation.distributions.continuous import (
    Deterministic,
    Exponential,
    Gamma,
    Hyperexponential,
    Lognormal,
    Normal,
    Triangular,
    Uniform,
)
from simdistill.simulation.distributions.counts import (
    Binomial,
    DiscreteUniform,
    Geometric,
    NegativeBinomial,
    Poisson,
)

NAMED = {
    "exponential": Exponential,
    "deterministic": Deterministic,
    "uniform": Uniform,
    "triangular": Triangular,
    "gamma": Gamma,
    "erlang": Gamma,
    "lognormal": Lognormal,
    "hyperexponential": Hyperexponential,
    "poisson": Poisson,
    "geometric": Geometric,
    "negative_binomial": NegativeBinomial,
    "binomial": Binomial,
    "discrete_uniform": DiscreteUniform,
    "normal": Normal,
}


def named(spec: Mapping[str, Any]) -> Any:
    """Returns the distribution that plain data describes, e.g. `{"name": "erlang", "shape": 2, "mean": 1}`.

    Args:
        spec: `name` and the fields of the distribution of that name, none of them negative.

    Raises:
        ValueError: If there is no such distribution, or its fields aren't the ones given.
    """
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in spec.items()}
    name = given.pop("name", None)
    if name not in NAMED:
        raise ValueError(f"no distribution {name!r}; available: {', '.join(NAMED)}")
    wanted = [field.name for field in fields(NAMED[name])]
    if sorted(given) != sorted(wanted):
        raise ValueError(f"{name} needs {', '.join(wanted)}; got {', '.join(given) or 'nothing'}")
    values = [v for value in given.values() for v in (value if isinstance(value, tuple) else (value,))]
    if not all(isinstance(v, int | float) and 0 <= v < math.inf for v in values):
        raise ValueError(f"{name} needs numbers that are not negative, got {given}")
    return NAMED[name](**given)


def of_moments(name: str, mean: float, sd: float | None = None) -> Any:
    """Returns the distribution of a name with a mean and a standard deviation.

    Args:
        name: As in `named`.
        mean: Its mean.
        sd: Its standard deviation; None where the mean determines it, 0 for a value that is certain.

    Raises:
        ValueError: If there is no such distribution with these moments.
    """
    if sd == 0 and name in NAMED:
        return Deterministic(mean)
    match name, sd:
        case (("exponential" | "geometric" | "poisson" | "deterministic"), None):
            return NAMED[name](mean)
        case (("normal" | "negative_binomial"), float() | int()):
            return NAMED[name](mean, sd)
        case "gamma", float() | int():
            return Gamma((mean / sd) ** 2, mean)
        case "lognormal", float() | int():
            return Lognormal(mean, sd / mean)
        case "uniform", float() | int() if 3 * sd**2 <= mean**2:
            return Uniform(mean - math.sqrt(3) * sd, mean + math.sqrt(3) * sd)
        case "discrete_uniform", float() | int():
            width = math.sqrt(12 * sd**2 + 1) - 1
            return DiscreteUniform(round(mean - width / 2), round(mean + width / 2))
        case "binomial", float() | int() if sd**2 < mean:
            failure = sd**2 / mean
            return Binomial(round(mean / (1 - failure)), 1 - failure)
    raise ValueError(
        f"no {name} with mean {mean:g} and sd {sd}; by mean alone there are deterministic, exponential, "
        "geometric and poisson, by mean and sd binomial, discrete_uniform, gamma, lognormal, "
        "negative_binomial, normal and uniform"
    )
