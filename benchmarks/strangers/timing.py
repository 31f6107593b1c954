"""One measurement in a process of its own; several models have modules of one name.

    python timing.py bare urgent_care 20 100  # processor seconds of replications 100 to 119 of the bare model
    python timing.py adapted urgent_care 20 100  # the same of the adapted one, under the task's heuristic
    python timing.py what_if urgent_care 30   # processor and wall seconds of the what-if of decision 30
    python timing.py what_if OpenCLSim 5 100000  # the same, where futures begin with that length
    python timing.py figures urgent_care 20   # a CSV file of 20 replications of the bare model

It prints JSON, or CSV for the figures.
"""

import csv
import importlib
import json
import os
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def folder_of(kind: str, name: str) -> Path:
    """Returns where a model is, bare in `models` or `adapted`; a published one is a file beside this one."""
    folder = FOLDER / kind / name
    return folder if folder.is_dir() else FOLDER


def bare(name: str, count: int, first: int = 1) -> dict[str, float]:
    """Measures replications of the bare model."""
    figures = _bare(name)
    figures(0)
    begin = time.process_time()
    for seed in range(first, first + count):
        figures(seed)
    return {"seconds": time.process_time() - begin}


def figures(name: str, count: int) -> None:
    """Writes the figures of replications of the bare model as a CSV file."""
    rows = [_bare(name)(seed) for seed in range(count)]
    writer = csv.DictWriter(sys.stdout, rows[0])
    writer.writeheader()
    writer.writerows(rows)


def _bare(name: str):
    sys.path.insert(0, str(folder_of("models", name)))
    return importlib.import_module(name).figures


def adapted(name: str, count: int, first: int = 1) -> dict[str, float]:
    """Measures episodes of the adapted model, decided by the task's heuristic."""
    from simdistill.simulation.rollout import run_policy

    task, simulator, policy = _adapted(name)
    run_policy(simulator(None, (0, 0)), policy, task.warm_up + task.horizon)
    begin = time.process_time()
    for seed in range(first, first + count):
        run_policy(simulator(None, (0, seed)), policy, task.warm_up + task.horizon)
    return {"seconds": time.process_time() - begin}


def what_if(name: str, decision: int, horizon: int = 60) -> dict[str, float]:
    """Measures the what-if of one state, with the number of futures that is the default."""
    from simdistill import what_if as simulated

    task, simulator, _ = _adapted(name)
    begin, wall = time.process_time(), time.perf_counter()
    end = task.warm_up + task.horizon
    found = simulated(simulator, decision=decision, policy=task.heuristic, horizon=float(horizon), until=end)
    seconds = {"seconds": time.process_time() - begin, "wall": time.perf_counter() - wall}
    return seconds | {"horizon": found.horizon, "error": float(max(found.standard_error))}


def _adapted(name: str):
    from simdistill import registry
    from simdistill.config import compose

    os.chdir(folder_of("adapted", name))
    sys.path.insert(0, os.getcwd())
    task = compose([f"task={name}"])[0].task
    simulator = registry.load("simulators", task.simulator)
    return task, simulator, simulator.policies[task.heuristic]


if __name__ == "__main__":
    measured = {"bare": bare, "adapted": adapted, "what_if": what_if, "figures": figures}
    found = measured[sys.argv[1]](sys.argv[2], *map(int, sys.argv[3:]))
    if found is not None:
        print(json.dumps(found))
