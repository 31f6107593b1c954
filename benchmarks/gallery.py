"""Small pictures of the processes: `python benchmarks/gallery.py` writes docs/figures/gallery/*.svg.

Each shows the costs of one episode under the practitioner's rule, over simulated time.
"""

import math

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from drawing import COLOURS, FOLDER, STYLE

from simdistill import config, registry
from simdistill.simulation.streams import EPISODE, TEST
from simdistill.verification.trajectory import simulate

PROCESSES = {
    "queueing": 60.0,
    "admission": 200.0,
    "scheduling": 120.0,
    "inventory": 60.0,
    "supply_chain": 60.0,
    "beer_game": 35.0,
    "call_center": math.inf,
    "nhs_111": math.inf,
    "emergency_department": 1440.0,
}
"""Task -> simulated time that is drawn, in the task's unit; infinite for a whole episode."""
STEPS = 90


def draw(name: str, length: float) -> None:
    """Draws what a process costs from one step of time to the next."""
    (run,) = config.compose([f"task={config.tasks()[name]}"])
    task = run.task
    simulator = registry.load("simulators", task.simulator)
    policy = simulator.policies[task.heuristic]
    params, path = simulator.parse(task.parameters.default), (3, TEST, EPISODE, 0)
    end = simulate(simulator, params, policy, path, np.array([0.0, task.warm_up + task.horizon])).end
    times_E = np.linspace(0.0, min(length, end), STEPS + 1)
    spent = np.diff(simulate(simulator, params, policy, path, times_E).cost_E)
    with matplotlib.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(1.8, 0.5))
        axes.fill_between(times_E[1:], spent, step="mid", color=COLOURS[0], linewidth=0)
        axes.axis("off")
        axes.margins(0)
        folder = FOLDER / "gallery"
        folder.mkdir(parents=True, exist_ok=True)
        figure.savefig(folder / f"{name}.svg", transparent=True, metadata={"Date": None}, pad_inches=0)
        plt.close(figure)


if __name__ == "__main__":
    for name, length in PROCESSES.items():
        draw(name, length)
