"""The check of a task's process model before anything is taught or played."""

import math

from rich.console import Console

from simdistill import registry
from simdistill.checker.guard import check_values
from simdistill.config import RunConfig, TaskConfig
from simdistill.progress import Progress, silent


def check_tasks(config: RunConfig, console: Console, progress: Progress = silent) -> None:
    """Checks the process of each task with its default parameters, unless the run says `check: false`.

    Args:
        config: The run.
        console: Console on which it is said if there was no time for some of the checks.
        progress: Function that shows how many checks are done.

    Raises:
        InputError: If the what-if values of a process would be wrong; the message says why.
    """
    if not config.check:
        return
    for task in config.tasks:
        simulator = registry.load("simulators", task.simulator)
        report = check_values(
            simulator, task.parameters.default, seed=config.seed, until=end(task), progress=progress
        )
        if report.unfinished:
            console.print(
                f"{task.name}: within {report.seconds:g} seconds the check of the process wasn't finished: "
                f"{', '.join(report.unfinished)}",
                style="yellow",
                markup=False,
                highlight=False,
            )


def end(task: TaskConfig) -> float:
    """Returns the simulated time at which an episode of a task ends; a steady state has no end."""
    return task.warm_up + task.horizon if task.kind == "terminating" else math.inf
