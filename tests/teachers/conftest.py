"""The queueing task with budgets of a second."""

import pytest

from simdistill.config import RunConfig, compose


@pytest.fixture(scope="session")
def small() -> RunConfig:
    return compose(
        [
            "task=queueing",
            "task.warm_up=20",
            "task.horizon=300",
            "teacher.base=join_shortest_queue",
            "teacher.generations=1",
            "teacher.scenarios=60",
            "teacher.episodes_per_scenario=2",
            "teacher.states_per_episode=5",
            "teacher.decisions_between=1",
            "teacher.futures=8",
            "teacher.horizon=40",
            "teacher.paired_replications=12",
        ]
    )[0]
