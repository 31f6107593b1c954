"""The queueing task with budgets of a second."""

import pytest

from simdistill.config import RunConfig, compose


@pytest.fixture(scope="session")
def even() -> RunConfig:
    """Nearly equal servers at a low load, so that even a random policy keeps the queues finite."""
    rate, jobs = "{low: 1.0, high: 1.4, decimals: 1}", "{low: 0, high: 6, decimals: 0}"
    return compose(
        [
            "task=queueing",
            "task.warm_up=20",
            "task.horizon=300",
            "task.parameters.train.values.arrival_rate={low: 0.9, high: 1.2, decimals: 1}",
            f"task.parameters.train.values.service_rates=[{rate}, {rate}]",
            "task.parameters.train.require.load={low: 0.3, high: 0.55}",
            f"task.parameters.starts.initial_jobs=[{jobs}, {jobs}]",
            "teacher.base=random",
            "teacher.generations=1",
            "teacher.scenarios=30",
            "teacher.episodes_per_scenario=2",
            "teacher.states_per_episode=4",
            "teacher.futures=4",
            "teacher.horizon=20",
            "teacher.compared_sets=20",
        ]
    )[0]


@pytest.fixture(scope="session")
def small() -> RunConfig:
    fast, slow = "{low: 1.6, high: 2.6, decimals: 1}", "{low: 0.3, high: 1.0, decimals: 1}"
    jobs = "{low: 0, high: 30, decimals: 0, spacing: log}"
    return compose(
        [
            "task=queueing",
            "task.warm_up=20",
            "task.horizon=300",
            "task.parameters.train.values.arrival_rate={low: 1.0, high: 2.4, decimals: 1}",
            f"task.parameters.train.values.service_rates=[{fast}, {slow}]",
            "task.parameters.train.require.load={low: 0.5, high: 0.85}",
            f"task.parameters.starts.initial_jobs=[{jobs}, {jobs}]",
            "teacher.base=join_shortest_queue",
            "teacher.generations=1",
            "teacher.scenarios=45",
            "teacher.episodes_per_scenario=2",
            "teacher.states_per_episode=5",
            "teacher.decisions_between=1",
            "teacher.futures=8",
            "teacher.horizon=40",
            "teacher.compared_sets=10",
        ]
    )[0]
