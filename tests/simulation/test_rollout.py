"""Running a process under a policy: seeds, replays, replications."""

import pytest

from simdistill.simulation import TEST, Streams
from simdistill.simulation.policies import RandomPolicy
from simdistill.simulation.rollout import replicate, run_policy
from simdistill.simulators.queueing import Queueing, shortest_expected_delay


def history(simulator, policy, path, until=50.0):
    """Time, state, answer and cost at every decision."""
    model, seen = simulator(world=path), []

    def record(decision, state, label):
        seen.append((decision.env.now, state, label, model.cost()))

    run_policy(model, policy, until, record)
    return seen


@pytest.mark.parametrize("simulator", ["repairs", "queueing"])
def test_a_seed_decides_the_run(simulator, repairs):
    process = repairs if simulator == "repairs" else Queueing

    def policy():
        return RandomPolicy(Streams((5,)))

    run = history(process, policy(), (1, 2, 3))
    assert len(run) > 10
    assert history(process, policy(), (1, 2, 3)) == run
    assert history(process, policy(), (1, 2, 4)) != run
    assert history(process, policy(), (2, 2, 3)) != run


def test_stopping_on_the_way_changes_nothing():
    through, stopped = Queueing(world=(1, 2)), Queueing(world=(1, 2))
    run_policy(through, shortest_expected_delay, 50.0)
    for until in (0.0, 13.7, 13.7, 29.0, 50.0):
        run_policy(stopped, shortest_expected_delay, until)
    assert stopped.cost(50.0) == through.cost(50.0) > 0
    assert stopped.jobs == through.jobs


def test_a_replication_is_the_average_cost_after_the_warm_up():
    path = (0, TEST, 4)
    replication = replicate(Queueing, {}, shortest_expected_delay, path, warm_up=20.0, horizon=100.0)
    model = Queueing(world=path)
    run_policy(model, shortest_expected_delay, 20.0)
    warm_up = model.cost(20.0)
    decisions = run_policy(model, shortest_expected_delay, 120.0)
    assert replication.cost == pytest.approx((model.cost(120.0) - warm_up) / 100.0)
    assert sum(replication.halves) / 2 == pytest.approx(replication.cost)
    assert replication.decisions > decisions > 150


def test_growing_queues_show_in_the_halves():
    overloaded = {"arrival_rate": 3.0}
    replications = [
        replicate(Queueing, overloaded, shortest_expected_delay, (0, TEST, n), 20.0, 200.0) for n in range(3)
    ]
    assert all(second - first > 20 for first, second in (r.halves for r in replications))
