"""The verbs for authors of simulators: new, check, verify, trace."""

import math
from pathlib import Path
from typing import Annotated

import typer

from simdistill.cli.arguments import Overrides
from simdistill.cli.terminal import wide_console
from simdistill.errors import InputError


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name, as in clinic or call_center.")],
    package: Annotated[bool, typer.Option(help="Write an installable package, with an entry point.")] = False,
) -> None:
    """Write a working simulator with its task and its test into this folder, as a start for your own.

    For example: simdistill new clinic
    """
    from simdistill.scaffold import new as write

    written = write(name, package=package)
    for path in written:
        typer.echo(f"wrote {path}")
    install = "pip install -e . && " if package else ""
    typer.echo(
        f"next: {install}pytest {written[-1]}; simdistill play task={name}; simdistill run task={name}"
    )


def check(
    simulator: Annotated[
        str, typer.Argument(metavar="SIMULATOR", help="A registered name, module:Class, or a task's name.")
    ],
    deterministic: Annotated[
        bool, typer.Option(help="Nothing is random with these parameters, so seeds needn't matter.")
    ] = False,
    seconds: Annotated[
        float, typer.Option(min=1.0, help="Wall time after which the rest of the checks is left out.")
    ] = 60.0,
) -> None:
    """Check that a simulator keeps what the rest relies on; exit code 1 if it doesn't.

    For example: simdistill check clinic:Clinic
    """
    from simdistill import config, registry
    from simdistill.checker.apart import inspect_apart

    parameters, until = {}, math.inf
    tasks = config.tasks()
    if ":" not in simulator and simulator not in registry.names("simulators") and simulator in tasks:
        task = config.compose([f"task={tasks[simulator]}"])[0].task
        simulator, parameters, until = task.simulator, task.parameters.default, task.until
    report = inspect_apart(simulator, parameters, deterministic=deterministic, seconds=seconds, until=until)
    typer.echo(str(report))
    if report.problems:
        raise typer.Exit(1)


def verify(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A simulator, a family or a case; all if left out.")
    ] = None,
    cases: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Take the cases of this folder in place of the packaged ones."),
    ] = None,
    quick: Annotated[bool, typer.Option(help="Chosen cases only, within two minutes.")] = False,
    cross_check: Annotated[
        bool, typer.Option(help="Simulate the networks that Ciw can express in Ciw, too.")
    ] = False,
    witness: Annotated[bool, typer.Option(hidden=True)] = False,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the table to this file.")] = None,
) -> None:
    """Hold simulators and reference solvers against known answers; exit code 1 if one isn't reproduced.

    For example: simdistill verify queueing --quick
    """
    from simdistill.files import check_target, is_plain
    from simdistill.verification import verify as verification

    if json is not None:
        check_target(json)
    if witness:
        typer.echo("warning: --witness is now called --cross-check", err=True)
    # If the JSON goes to a pipe or to /dev/stdout, the tables go to stderr, as they would spoil it.
    aside = json is not None and (json.exists() or json.is_symlink()) and not is_plain(json)
    console = wide_console(stderr=aside)
    rows = verification.verify(name, cases, quick, cross_check or witness, console)
    verification.show(rows, console)
    if json is not None:
        verification.save(rows, json)
    if verification.disagreements(rows):
        raise typer.Exit(1)


def trace(
    overrides: Overrides = None,
    form: Annotated[str, typer.Option("--format", help="jsonl, ocel (OCEL 2.0 JSON) or xes.")] = "jsonl",
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="The file.")] = None,
    policy: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The policy that decides; the task's heuristic if left out."),
    ] = None,
) -> None:
    """Write the event log of one episode, for process mining.

    For example: simdistill trace task=queueing --format ocel -o log.jsonocel
    """
    if output is None:
        raise InputError("trace needs a file to write to: -o FILE")
    from simdistill import config
    from simdistill.files import check_target, is_plain
    from simdistill.simulation import event_log as eventlog

    check_target(output)
    configs = config.compose(overrides or [])
    if len(configs) > 1:
        raise InputError(f"trace takes one task and one value for each field, not {len(configs)} runs")
    log = eventlog.of_task(configs[0].task, policy, configs[0].seed)
    eventlog.write(log, output, form)
    # If the log goes to a pipe or to /dev/stdout, this line goes to stderr, as it would spoil the log.
    said = f"{output}: {len(log.entries)} entries until {log.time_unit} {log.time:g}"
    typer.echo(said, err=not is_plain(output))
