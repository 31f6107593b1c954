"""The acceptance test of a search generation: it compares two policies on the same parameter sets.

Axes: P drawn parameter sets, X policies, before and after.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from simdistill import mdp, registry
from simdistill.config import TaskConfig
from simdistill.envs.scenarios import draw
from simdistill.executors import Map
from simdistill.simulation import EPISODE, PLAN, SAMPLE, VALIDATION, Parameters, Policy
from simdistill.simulation.policies import with_streams
from simdistill.simulation.rollout import replicate
from simdistill.simulation.streams import SeedPath, Streams
from simdistill.statistics import Estimate, mean_estimate


def compare(
    task: TaskConfig,
    seed: int,
    number: int,
    policies: tuple[Policy, Policy],
    sets: int,
    compute: Map,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Estimate:
    """Returns the relative cost change from the first policy to the second, with its interval.

    If the simulator's state is Markov, both policies' costs are computed exactly on every parameter set;
    otherwise they are simulated with common random numbers. To detect small improvements, exact costs are
    needed: near saturation, simulated costs of 2,000 minutes still differ by several percent.

    Args:
        task: The task.
        seed: Root seed; its validation streams draw the parameters.
        number: Number that distinguishes this comparison from others.
        policies: The policies before and after the generation.
        sets: Number of parameter sets to draw.
        compute: Function that runs simulations.
        progress: Called with the numbers of compared and of all parameter sets.
    """
    one = partial(_compared, task, seed, number, policies)
    changes: list[float] = []
    progress(0, sets)
    for before, after in compute(one, range(sets)):
        changes.append(_change(before, after))
        progress(len(changes), sets)
    return mean_estimate(changes)


def _compared(
    task: TaskConfig, seed: int, number: int, policies: tuple[Policy, Policy], drawn: int
) -> list[float]:
    simulator = registry.load("simulators", task.simulator)
    params: Parameters = draw(
        simulator,
        task.parameters.default,
        task.parameters.train,
        (seed, VALIDATION, SAMPLE, number, drawn),
    )
    if mdp.solvable(simulator, task.kind):
        return _solved(partial(simulator.markov, params), policies)
    path: SeedPath = (seed, VALIDATION, EPISODE, number, drawn)
    return [
        replicate(
            simulator,
            params,
            with_streams(policy, Streams((*path, PLAN))),
            path,
            task.warm_up,
            task.horizon,
            task.kind == "terminating",
        ).cost
        for policy in policies
    ]


def _solved(build, policies: Sequence[Policy]) -> list[float]:
    """Returns each policy's exact average cost; infinite if its queues grow without bound."""
    found = [mdp.fitting_size(build, partial(_tabulated, policy), 1e-6) for policy in policies]
    return [math.inf if fitting is None else fitting[1].cost for fitting in found]


def _tabulated(policy: Policy, process: mdp.Solvable) -> np.ndarray:
    return mdp.tabulate(process, policy)


def _change(before: float, after: float) -> float:
    """Returns the change of a cost as a share of its size; the cost of a process that earns is negative."""
    if math.isinf(before):
        return 0.0 if math.isinf(after) else -1.0
    return 1.0 if math.isinf(after) else (after - before) / (abs(before) or abs(after) or 1.0)
