"""The verbs that make runs and look at them again: run, evaluate, report, play."""

import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from simdistill.cli.arguments import Overrides, Run, resumed_folder, run_folder
from simdistill.cli.terminal import only_results_on_stdout
from simdistill.errors import InputError


def run(
    overrides: Overrides = None,
    json: Annotated[
        bool, typer.Option("--json", help="End with one JSON object on stdout; all else goes to stderr.")
    ] = False,
) -> None:
    """Simulate, teach, ask, distil, examine and report.

    For example: simdistill run task=queueing seed=0,1,2

    A run that was stopped goes on with: simdistill run resume=RUN
    """
    with only_results_on_stdout() if json else nullcontext():
        folders = _run(overrides or [], Console(stderr=json))
    if json:
        _tell(folders)


def _run(overrides: list[str], console: Console) -> list[Path]:
    """Makes the runs that overrides ask for, or goes on with one, and returns their folders."""
    folder, others = resumed_folder(overrides)
    if folder is not None:
        from simdistill import distributed as launched
        from simdistill.runs.resuming import settle

        if launched.is_first():
            settle(folder, others)
    else:
        from simdistill import config

        configs = config.compose(others)
    from simdistill.runs import pipeline

    if folder is not None:
        return [pipeline.resume(folder, console)]
    if len(configs) == 1:
        return [pipeline.run(configs[0], console)]
    from simdistill import distributed as launched

    if launched.processes() > 1:
        raise InputError(f"accelerate launch takes one run, not {len(configs)}; launch each of them")
    # Each run has its own process, so that its memory is freed before the next run.
    folders = [pipeline.start(config) for config in configs]
    for started in folders:
        code = subprocess.run([sys.executable, "-m", "simdistill", "run", f"resume={started}"]).returncode
        if code:
            raise typer.Exit(code)
    return folders


def _tell(folders: list[Path]) -> None:
    """Prints one JSON object: a run's summary, or `{"runs": [...]}` with those of a sweep."""
    import json

    from simdistill import distributed as launched
    from simdistill.runs.summary import summary

    if launched.is_first():
        found = [summary(folder) for folder in folders]
        typer.echo(json.dumps(found[0] if len(found) == 1 else {"runs": found}, indent=2, allow_nan=False))


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
