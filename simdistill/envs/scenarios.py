"""Scenarios: the parameters that an episode is played with."""

import math

import numpy as np

from simdistill.config import Bounds, ParametersConfig, Range, Ranges
from simdistill.errors import InputError
from simdistill.simulation import EPISODE, SAMPLE, TEST, Parameters, ProcessModel, generator
from simdistill.simulation.streams import SeedPath

MAX_TRIES = 10_000


def draw(simulator: type[ProcessModel], default: dict, ranges: Ranges, path: SeedPath) -> Parameters:
    """Draws parameters until the requirements hold.

    Args:
        simulator: Whose parameters they are.
        default: Values of the parameters that aren't drawn.
        ranges: What is drawn and what must hold, e.g. a load below 0.85.
        path: Seed path of the draw.

    Raises:
        InputError: If no draw fulfils the requirements.
    """
    random = generator(path)
    for _ in range(MAX_TRIES):
        values = {name: _component(random, spread) for name, spread in ranges.values.items()}
        params = simulator.parse({**default, **values})
        if all(_within(params, name, bounds) for name, bounds in ranges.require.items()):
            return params
    raise InputError(
        f"none of {MAX_TRIES:,} drawn parameters of {simulator.__name__} fulfils {_told(ranges.require)}; "
        "widen the ranges in the task's `parameters`"
    )


def begin(
    simulator: type[ProcessModel], params: Parameters, starts: dict[str, Range | list[Range]], path: SeedPath
) -> Parameters:
    """Returns the parameters of an episode of its own beginning, e.g. with jobs already waiting.

    Args:
        simulator: Whose parameters they are.
        params: Parameters of the scenario.
        starts: Ranges of the parameters that say how an episode begins.
        path: Seed path of the draw.
    """
    random = generator(path)
    drawn = {name: _component(random, spread) for name, spread in starts.items()}
    return simulator.parse({**params.model_dump(), **drawn})


def examination_sets(
    simulator: type[ProcessModel], parameters: ParametersConfig, seed: int, count: int
) -> dict[str, list[Parameters]]:
    """Draws the parameter sets of an examination, in distribution and out of it, from the test tree."""
    ranges = {"in_distribution": parameters.train, "out_of_distribution": parameters.out_of_distribution}
    return {
        name: [
            draw(simulator, parameters.default, spread, (seed, TEST, SAMPLE, which, number))
            for number in range(count)
        ]
        for which, (name, spread) in enumerate(ranges.items())
    }


def examination_path(seed: int, replication: int) -> SeedPath:
    """Returns the seed path of an examination's replication."""
    return (seed, TEST, EPISODE, replication)


def _component(random: np.random.Generator, spread: Range | list[Range]):
    if isinstance(spread, list):
        return tuple(_number(random, part) for part in spread)
    return _number(random, spread)


def _number(random: np.random.Generator, spread: Range) -> float | int:
    u = random.random()
    if spread.spacing == "log":
        value = math.expm1(math.log1p(spread.low) + u * (math.log1p(spread.high) - math.log1p(spread.low)))
    else:
        value = spread.low + u * (spread.high - spread.low)
    return round(value, spread.decimals) if spread.decimals else round(value)


def _within(params: Parameters, name: str, bounds: Bounds) -> bool:
    value = getattr(params, name, None)
    if not isinstance(value, int | float):
        raise InputError(f"require.{name}: {type(params).__qualname__} has no number of that name")
    return (bounds.low is None or value >= bounds.low) and (bounds.high is None or value <= bounds.high)


def _told(require: dict[str, Bounds]) -> str:
    return " and ".join(f"{bounds.low} <= {name} <= {bounds.high}" for name, bounds in require.items())
