import math
from typing import ClassVar

import numpy as np
import pytest

from simdistill import mdp, registry
from simdistill.simulation.policies import RandomPolicy
from simdistill.simulation.streams import Streams
from simdistill.simulators.queueing import Queueing, join_shortest_queue, shortest_expected_delay
from simdistill.teachers.acceptance_test import compare


class Unsolved(Queueing):
    markov = None


class Earning(Unsolved):
    """Each job in the system earns something, so costs are negative."""

    cost_weights: ClassVar = {"in_system": -1.0}


def at_a(state, choices):
    return choices[0]


def test_exact_and_simulated_comparisons_agree(even):
    pair = (RandomPolicy(Streams((0,))), shortest_expected_delay)
    solved = compare(even.task, 0, 1, pair, 60, map)
    registry.register("unsolved", f"{__name__}:Unsolved")
    simulated_task = even.task.model_copy(update={"simulator": "unsolved"})
    simulated = compare(simulated_task, 0, 1, pair, 60, map)
    assert solved.high < simulated.mean + 0.05 and simulated.mean - 0.05 < solved.low
    assert solved.high - solved.low < simulated.high - simulated.low
    assert solved.high < 0 and simulated.high < 0


def test_whoever_earns_more_is_better(even):
    registry.register("earning", f"{__name__}:Earning")
    task = even.task.model_copy(update={"simulator": "earning"})
    more_jobs = compare(task, 0, 1, (shortest_expected_delay, at_a), 10, map)
    assert more_jobs.high < 0


def test_a_small_improvement_is_seen_exactly(small):
    pair = (join_shortest_queue, shortest_expected_delay)
    costs = []
    params = {"arrival_rate": 2.0, "service_rates": (2.0, 0.5)}
    chain = Queueing.markov(params, 40)
    for policy in pair:
        costs.append(mdp.evaluate(chain, mdp.tabulate(chain, policy)).cost)
    assert costs == pytest.approx([5.413187, 5.02927], rel=1e-3)
    assert compare(small.task, 0, 1, pair, 20, map).high < 0


def test_a_policy_under_which_queues_grow_loses(small):
    # All jobs at A: A alone can't always serve them, so some parameter sets are unstable.
    change = compare(small.task, 0, 1, (shortest_expected_delay, at_a), 20, map)
    assert math.isfinite(change.mean) and change.low > 0
    assert compare(small.task, 0, 1, (at_a, shortest_expected_delay), 20, map).high < 0
    assert np.isfinite(compare(small.task, 0, 1, (at_a, at_a), 20, map).mean)
