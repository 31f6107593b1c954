"""Which machine is repaired first, in the production line of maintsim.

    git clone https://github.com/m-hoff/maintsim
    pip install mcts pathos joblib
    python benchmarks/strangers/maintsim.py maintsim

The newest version has an event engine of its own; the adapter takes one whose line runs on SimPy. The
repairman takes the machine that failed first, and the adapter asks in place of that. The model counts the
minutes until a failure in a loop of random numbers; the adapter draws the same time as a sum, so that
what-ifs can draw it again.
"""

import sys
from types import SimpleNamespace

import numpy as np
from public import fetched, main

sys.path.insert(0, fetched("456aaf7", "simantha"))
import simantha as theirs
from scipy import stats

from simdistill import adapt

CYCLE_TIMES, HORIZON = (5, 3, 2), 1000
STAGES, WEAR = 4, 0.1
"""Stages of health before a machine fails, and the probability that it leaves one in a minute."""


class Machine(theirs.Machine):
    def get_time_to_failure(self):
        wear = adapt.rng(self.env, "wear")
        self.health = self.failed_state
        return sum(wear.geometric(WEAR) for _ in range(STAGES))


class Repairman(theirs.Repairman):
    def __init__(self, env=None, system=None, capacity=1, scheduling_policy="FIFO"):
        super().__init__(env, system, capacity, scheduling_policy)

    def resolve_simultaneous_repairs(self):
        queue = sorted(self.get_queue(), key=lambda machine: machine.time_entered_queue)
        machines = {str(machine.index): machine for machine in queue}
        return adapt.choose(self.env, "Which machine is repaired first?", machines, self.line)

    def line(self):
        queue = sorted(self.get_queue(), key=lambda machine: machine.time_entered_queue)
        return {
            "left": HORIZON - round(self.env.now, -2),
            "failed": [machine.index for machine in queue],
            "parts": [b.level for b in self.system.buffers[:-1]],
        }

    def update_queue_data(self):
        super().update_queue_data()
        self.count()

    def schedule_maintenance(self):
        super().schedule_maintenance()
        self.count()

    def count(self):
        down = [
            machine.cycle_time for machine in self.system.machines if machine.in_queue or machine.under_repair
        ]
        adapt.cost_rate(self.env, "down", sum(down))


def line():
    """A line of three machines, each of which wears, fails and is repaired."""
    vars(sys.modules["simantha.System"])["Machine"] = Machine
    repair = adapt.rng(None, "repair")
    return simulate(SimpleNamespace(rvs=lambda: repair.integers(20, 60)), Repairman())


def first_failed(state, choices):
    return str(state["failed"][0])


def slowest_first(state, choices):
    return min(choices)


Line = adapt.process_model(
    line, max_choices=3, policies={"first_failed": first_failed, "slowest": slowest_first}
)


def matrices():
    kept = np.diag([1 - WEAR] * STAGES + [1.0])
    return [kept + np.diag([WEAR] * STAGES, 1)] * 3


def simulate(repairs, repairman=None):
    system = theirs.System(
        list(CYCLE_TIMES),
        5,
        matrices(),
        pm_distribution=repairs,
        cm_distribution=repairs,
        repairman=repairman,
    )
    system.simulate(simulation_time=HORIZON, verbose=False)
    made = {f"made by {machine.index}": machine.parts_made for machine in system.machines}
    repaired = {f"repairs of {machine.index}": len(machine.maintenance_data) for machine in system.machines}
    return made | repaired | {"waiting for repair": float(system.queue_data["queue level"].mean())}


def figures(seed):
    """One replication of the original."""
    np.random.seed(seed)
    return simulate(stats.randint(20, 60))


if __name__ == "__main__":
    main(__file__, decision=5, replications=400)
