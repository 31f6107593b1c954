"""The verbs that make runs and look at them again: run, evaluate, report, play."""

import subprocess
import sys

import typer
from rich.console import Console

from simdistill.cli.arguments import Overrides, Run, resumed_folder, run_folder
from simdistill.errors import InputError


def run(overrides: Overrides = None) -> None:
    """Simulate, teach, ask, distil, examine and report.

    For example: simdistill run task=queueing seed=0,1,2

    A run that was stopped goes on with: simdistill run resume=RUN
    """
    folder = resumed_folder(overrides or [])
    if folder is None:
        from simdistill import config

        configs = config.compose(overrides or [])
    from simdistill.runs import pipeline

    console = Console()
    if folder is not None:
        pipeline.resume(folder, console)
        return
    if len(configs) == 1:
        pipeline.run(configs[0], console)
        return
    from simdistill import distributed as launched

    if launched.processes() > 1:
        raise InputError(f"accelerate launch takes one run, not {len(configs)}; launch each of them")
    # Each run has its own process, so that its memory is freed before the next run.
    for started in [pipeline.start(config) for config in configs]:
        code = subprocess.run([sys.executable, "-m", "simdistill", "run", f"resume={started}"]).returncode
        if code:
            raise typer.Exit(code)


def evaluate(run: Run) -> None:
    """Examine a finished run's student again and write its metrics.json."""
    folder = run_folder(run)
    from simdistill import distributed as launched
    from simdistill.runs import pipeline

    if launched.processes() > 1:
        raise InputError("accelerate launch is for training; evaluate works without it, in one process")
    pipeline.evaluate(folder, Console())


def report(run: Run) -> None:
    """Write a run's report.html again from its metrics and examination."""
    folder = run_folder(run)
    from simdistill.runs import pipeline

    pipeline.report(folder, Console())


def play(overrides: Overrides = None) -> None:
    """Decide yourself, and see what the teacher would have done.

    For example: simdistill play task=queueing
    """
    from simdistill import config

    configs = config.compose(overrides or [])
    if len(configs) > 1:
        raise InputError(f"play takes one task and one value for each field, not {len(configs)} runs")
    from simdistill.runs.play import play as play_task

    play_task(configs[0], Console())
