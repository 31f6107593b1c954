"""The verbs for authors of simulators: new, check, validate, verify, trace."""

import math
from pathlib import Path
from typing import Annotated

import typer

from simdistill.cli import completion
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
        str,
        typer.Argument(
            metavar="SIMULATOR",
            help="A registered name, module:Class, file.py:Class or a task.",
            autocompletion=completion.simulators_and_tasks,
        ),
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


def validate(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A task, a registered simulator, module:Class or file.py:Class.",
            autocompletion=completion.simulators_and_tasks,
        ),
    ],
    against: Annotated[
        str,
        typer.Option(metavar="ORIGINAL", help="file.py:function, or a CSV file with a line a replication."),
    ],
    policy: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The policy that is the original's rule; if left out, the task's heuristic, or the model's "
            "only one.",
        ),
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A parameter of the model; may be repeated."),
    ] = None,
    replications: Annotated[
        int, typer.Option(min=2, help="Replications of the model, and of a function.")
    ] = 30,
    until: Annotated[
        float | None, typer.Option(help="Simulated time at which a replication ends; a task's if left out.")
    ] = None,
    warm_up: Annotated[
        float | None, typer.Option(min=0.0, help="Simulated time that isn't counted; a task's, or none.")
    ] = None,
    margin: Annotated[
        float, typer.Option(help="How far apart they may be, as a share of the original's mean.")
    ] = 0.02,
    absolute: Annotated[
        list[str] | None,
        typer.Option(metavar="FIGURE=VALUE", help="A figure's margin in its own unit; may be repeated."),
    ] = None,
    confidence: Annotated[float, typer.Option(help="1 less the level of the tests.")] = 0.95,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Number of processes; one per core if left out.")
    ] = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the comparison to this file.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write a page to this file.")
    ] = None,
) -> None:
    """Show that an adapted model is still the original; exit code 1 if it isn't, or can't be said to be.

    For example: simdistill validate carwash.py:CarWash --against original.py:figures --until 480
    """
    from simdistill.runs.console import progress_on
    from simdistill.validation import table
    from simdistill.validation import validate as validation
    from simdistill.validation.settings import absolutes, check_levels, parameters
    from simdistill.validation.subject import subject

    check_levels(margin, confidence)
    margins = absolutes(absolute or [])
    adapted = subject(model, policy, parameters(param or []), warm_up, until)
    with progress_on(wide_console(stderr=True)) as progress:
        found = validation.validate(
            adapted,
            against,
            replications=replications,
            margin=margin,
            absolute=margins,
            confidence=confidence,
            workers=workers,
            progress=progress,
        )
    table.show(found, wide_console())
    if json is not None:
        validation.save(found, json)
    if output is not None:
        from simdistill.validation.page import write_page

        write_page(found, output)
        typer.echo(f"page: {output}")
    if not found.equivalent:
        raise typer.Exit(1)


def verify(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="A simulator, a family or a case; all if left out.",
            autocompletion=completion.simulators,
        ),
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
