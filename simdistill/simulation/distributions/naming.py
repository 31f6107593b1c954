"""Distributions by name, as files of cases and of measured data write them."""

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields
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
    Weibull,
    lognormal,
)
from simdistill.simulation.distributions.counts import (
    Binomial,
    DiscreteUniform,
    Geometric,
    NegativeBinomial,
    Poisson,
)
from simdistill.simulation.distributions.derived import Mixture, Shifted, Truncated
from simdistill.simulation.distributions.labels import Categorical

NAMED = {
    "exponential": Exponential,
    "deterministic": Deterministic,
    "uniform": Uniform,
    "triangular": Triangular,
    "weibull": Weibull,
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
    "truncated": Truncated,
    "shifted": Shifted,
    "mixture": Mixture,
    "categorical": Categorical,
}

EXAMPLE = '{"name": "exponential", "mean": 2}'


def named(spec: Mapping[str, Any]) -> Any:
    """Returns the distribution that plain data describes, e.g. `{"name": "erlang", "shape": 2, "mean": 1}`.

    Args:
        spec: `name` and the fields of the distribution of that name, none of them negative; distributions
            within distributions are described likewise.

    Raises:
        ValueError: If there is no such distribution, or its fields aren't the ones given.
    """
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in spec.items()}
    name = given.pop("name", None)
    if name not in NAMED:
        raise ValueError(f"no distribution {name!r}; available: {', '.join(NAMED)}")
    if name == "lognormal" and sorted(given) == ["mean", "sd"]:
        return lognormal(**_numbers(name, given))
    known = {field.name: field.default is MISSING for field in fields(NAMED[name]) if field.init}
    needed = {key for key, needs in known.items() if needs}
    if not needed <= given.keys() <= known.keys():
        raise ValueError(f"{name} needs {', '.join(known)}; got {', '.join(given) or 'nothing'}")
    match name:
        case "categorical":
            return Categorical(_numbers(name, _mapping(name, "shares", given["shares"])))
        case "mixture":
            parts = given["parts"] if isinstance(given["parts"], tuple) else (given["parts"],)
            return Mixture(tuple(_part(part) for part in parts))
        case "truncated" | "shifted":
            within = named(_mapping(name, "distribution", given.pop("distribution")))
            return NAMED[name](within, **_numbers(name, given))
    return NAMED[name](**_numbers(name, given))


def _numbers(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """Returns fields that have been found to be finite numbers of at least 0, or tuples of them."""
    values = [v for value in given.values() for v in (value if isinstance(value, tuple) else (value,))]
    if not all(isinstance(v, int | float) and 0 <= v < math.inf for v in values):
        raise ValueError(f"{name} needs numbers that are not negative, got {given}")
    return given


def _mapping(name: str, field: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        example = '{"red": 0.2, "blue": 0.8}' if name == "categorical" else EXAMPLE
        raise ValueError(f"{name} needs {field} such as {example}, got {value!r}")
    return dict(value)


def _part(part: Any) -> tuple[float, Any]:
    """Returns a mixture's part from its share and what describes its distribution."""
    if not isinstance(part, list | tuple) or len(part) != 2:
        raise ValueError(f"mixture needs parts such as [0.3, {EXAMPLE}], got {part!r}")
    share, spec = part
    return _numbers("mixture", {"share": share})["share"], named(_mapping("mixture", "a distribution", spec))


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
