"""Simulated outcomes of a situation: the futures from which forecasts are made.

The simulator's own forecast is the share of branches that end in each bucket: fresh futures, as in what-if
search, in which a policy goes on deciding. Axes: F forecasts, K futures.
"""

import math
from collections.abc import Sequence

import numpy as np

from simdistill.simulation.branch_point import BranchPoint
from simdistill.simulation.forecasts import Forecast
from simdistill.simulation.model import ProcessModel
from simdistill.simulation.policies import Policy, with_streams
from simdistill.simulation.rollout import run_policy
from simdistill.simulation.situations import Situation
from simdistill.simulation.streams import FUTURE, Streams

SALT = 1_000
"""Keeps the futures of forecasts apart from those of what-if values."""


def outcomes(
    simulator: type[ProcessModel],
    situation: Situation,
    policy: Policy,
    forecasts: Sequence[Forecast],
    futures: int,
    salt: int = 0,
    until: float = math.inf,
) -> list[np.ndarray]:
    """Simulates futures of a situation and reads the outcomes off them.

    Args:
        simulator: The process.
        situation: Where the futures begin; the policy answers it, too.
        policy: Decides.
        forecasts: The outcomes to read off each future.
        futures: Number of futures.
        salt: Another salt gives other futures.
        until: Simulated time at which a terminating task ends; what is forecast for later is read off then.

    Returns:
        For each forecast the bucket of each future's outcome (K).
    """
    point = BranchPoint(simulator, situation)
    buckets_FK = np.zeros((len(forecasts), futures), dtype=int)
    # Read in the order of time, so that one future serves all.
    order = sorted(range(len(forecasts)), key=lambda number: forecasts[number].after)
    for future in range(futures):
        path = (*situation.path, FUTURE, len(situation.actions), SALT + salt, future)
        streams = Streams(path)
        model, decision = point.reach(streams)
        decide = with_streams(policy, streams)
        before = model.totals()
        model.answer(decide(model.observe_unchecked(decision), decision.labels))
        for number in order:
            time = min(until, situation.time + forecasts[number].after)
            run_policy(model, decide, time)
            buckets_FK[number, future] = forecasts[number].bucket(
                forecasts[number].outcome(model, time, before)
            )
    return list(buckets_FK)
