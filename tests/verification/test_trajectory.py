"""One replication with its running sums: the final cost falls due where the run ends."""

import numpy as np
import pytest

from simdistill.simulation import ProcessModel
from simdistill.verification.trajectory import simulate


class Watched(ProcessModel):
    """A shop whose day never ends by itself, because of a monitor; 7 falls due when it closes."""

    def build(self):
        self.env.process(self.monitor())
        self.env.process(self.customer())

    def monitor(self):
        while True:
            yield self.env.timeout(1)

    def customer(self):
        yield self.decide("Serve?", ["yes", "no"])
        self.charge("service", 2)

    def observe(self, decision):
        return {}

    def final_cost(self):
        return 7.0


@pytest.mark.parametrize(("whole", "cost"), [(True, 9.0), (False, 2.0)])
def test_a_whole_run_has_its_final_cost_though_a_monitor_goes_on(whole, cost):
    times_E = np.array([0.0, 5.0, 10.0])
    found = simulate(Watched, Watched.parse({}), lambda state, choices: "yes", (0,), times_E, whole)
    assert found.cost_E.tolist() == [0.0, 2.0, cost] and found.end == 10.0
