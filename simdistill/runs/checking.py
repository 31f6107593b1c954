"""The check of a task's process model before anything is taught or played."""

from rich.console import Console

from simdistill import registry
from simdistill.checker.guard import check_values
from simdistill.config import RunConfig
from simdistill.errors import InputError
from simdistill.progress import Progress, silent
from simdistill.simulation import ProcessModel


def check_when_asked(config: RunConfig) -> None:
    """Checks that the questions of a run of version 0.1.0 are put when they were, at the end of the instant.

    Raises:
        InputError: If a class doesn't say when its questions are put; they would now be put at once.
    """
    for task in config.tasks:
        simulator = registry.load("simulators", task.simulator)
        own = simulator.__mro__[: simulator.__mro__.index(ProcessModel)]
        if not any("decides_at" in vars(one) for one in own):
            raise InputError(
                "this run was begun when every question was put at the end of its instant; say which of the "
                f'two {simulator.__name__} means, decides_at = "end" to go on with the run as it was, or '
                'decides_at = "once"'
            )


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
            simulator, task.parameters.default, seed=config.seed, until=task.until, progress=progress
        )
        if report.unfinished:
            console.print(
                f"{task.name}: within {report.seconds:g} seconds the check of the process wasn't finished: "
                f"{', '.join(report.unfinished)}",
                style="yellow",
                markup=False,
                highlight=False,
            )
