"""Running a port."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import simpy
from simdistill import adapt

from harbour.monitor import Monitor
from harbour.settings import Settings
from harbour.streams import Streams
from harbour.terminal import Port


class Experiment:
    """One replication."""

    def __init__(self, settings: Settings | None = None, seed: int = 0):
        self.settings = settings or Settings()
        self.env = simpy.Environment()
        self.port = Port(self.env, self.settings, Streams(seed))
        self.monitor = Monitor(self.port)

    def run(self) -> dict[str, float]:
        self.env.run(until=self.settings.horizon)
        return self.monitor.report()


def figures(seed: int) -> dict[str, float]:
    """The figures of one replication with the default settings."""
    return Experiment(seed=seed).run()


def compare(rules: Iterable[str], replications: int = 20) -> dict[str, np.ndarray]:
    """Daily cost of several dispatching rules under common random numbers; one value a replication."""
    return {
        rule: np.array(
            [Experiment(Settings(dispatch=rule), seed).run()["cost_a_day"] for seed in range(replications)]
        )
        for rule in rules
    }


def least(state, choices):
    return min(choices, key=state.get)


Harbour = adapt.process_model(Experiment, start="run", chooses=True, max_choices=3, policies={"least": least})
