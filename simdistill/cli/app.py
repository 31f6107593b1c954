"""The verbs of `simdistill`. What they need is imported inside them, so that --help answers at once."""

import errno
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperGroup

from simdistill.errors import InputError, ProcessError

OVERRIDES = "task=NAME, then field=value; field=a,b,c runs each."


class _Verbs(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        with _explained():
            return super().invoke(ctx)


app = typer.Typer(
    cls=_Verbs,
    help="From a SimPy process model to a small language model that runs the process.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Overrides = Annotated[list[str] | None, typer.Argument(metavar="OVERRIDES", help=OVERRIDES)]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, as outputs/queueing/….")]


def main() -> None:
    """The console script."""
    app(prog_name="simdistill")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"simdistill {version('simdistill')}")
        raise typer.Exit()


@app.callback()
def _simdistill(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    # Telemetry is off for whatever a verb imports.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # Simulators of the user's own are found in the current folder, in worker processes as well.
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())


@app.command()
def run(overrides: Overrides = None) -> None:
    """Simulate, teach, ask, distil, examine and report.

    For example: simdistill run task=queueing seed=0,1,2

    A run that was stopped goes on with: simdistill run resume=RUN
    """
    folder = _resumed(overrides or [])
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
    # Each in a process of its own, so that none holds another's memory.
    for started in [pipeline.start(config) for config in configs]:
        code = subprocess.run([sys.executable, "-m", "simdistill", "run", f"resume={started}"]).returncode
        if code:
            raise typer.Exit(code)


@app.command()
def evaluate(run: Run) -> None:
    """Examine a finished run's student again and write its metrics.json."""
    folder = _run_folder(run)
    from simdistill import distributed as launched
    from simdistill.runs import pipeline

    if launched.processes() > 1:
        raise InputError("accelerate launch is for training; evaluate works without it, in one process")
    pipeline.evaluate(folder, Console())


@app.command()
def report(run: Run) -> None:
    """Write a run's report.html again from its metrics and examination."""
    folder = _run_folder(run)
    from simdistill.runs import pipeline

    pipeline.report(folder, Console())


@app.command()
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


@app.command()
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


@app.command()
def check(
    simulator: Annotated[
        str, typer.Argument(metavar="SIMULATOR", help="A registered name, module:Class, or a task's name.")
    ],
    deterministic: Annotated[
        bool, typer.Option(help="Nothing is random with these parameters, so seeds needn't matter.")
    ] = False,
) -> None:
    """Check that a simulator keeps what the rest relies on; exit code 1 if it doesn't.

    For example: simdistill check clinic:Clinic
    """
    from simdistill import config, registry
    from simdistill.checker.check import inspect_simulator

    parameters = {}
    tasks = config.tasks()
    if ":" not in simulator and simulator not in registry.names("simulators") and simulator in tasks:
        task = config.compose([f"task={tasks[simulator]}"])[0].task
        simulator, parameters = task.simulator, task.parameters.default
    report = inspect_simulator(
        registry.load("simulators", simulator), parameters, deterministic=deterministic
    )
    typer.echo(str(report))
    if report.problems:
        raise typer.Exit(1)


@app.command()
def verify(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A simulator, a family or a case; all if left out.")
    ] = None,
    cases: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Take the cases of this folder in place of the packaged ones."),
    ] = None,
    quick: Annotated[bool, typer.Option(help="Chosen cases only, within two minutes.")] = False,
    witness: Annotated[bool, typer.Option(help="Run the networks that Ciw knows in Ciw as well.")] = False,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the table to this file.")] = None,
) -> None:
    """Hold simulators and reference solvers against known answers; exit code 1 if one isn't reproduced.

    For example: simdistill verify queueing --quick
    """
    from simdistill.verification import verify as verification

    console = _wide()
    rows = verification.verify(name, cases, quick, witness, console)
    verification.show(rows, console)
    if json is not None:
        verification.save(rows, json)
    if verification.disagreements(rows):
        raise typer.Exit(1)


@app.command()
def trace(
    overrides: Overrides = None,
    form: Annotated[str, typer.Option("--format", help="jsonl, ocel (OCEL 2.0 JSON) or xes.")] = "jsonl",
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="The file.")] = None,
    policy: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who decides; the task's heuristic if left out.")
    ] = None,
) -> None:
    """Write the event log of one episode, for process mining.

    For example: simdistill trace task=queueing --format ocel -o log.jsonocel
    """
    if output is None:
        raise InputError("trace needs a file to write to: -o FILE")
    from simdistill import config
    from simdistill.simulation import event_log as eventlog

    configs = config.compose(overrides or [])
    if len(configs) > 1:
        raise InputError(f"trace takes one task and one value for each field, not {len(configs)} runs")
    log = eventlog.of_task(configs[0].task, policy, configs[0].seed)
    eventlog.write(log, output, form)
    typer.echo(f"{output}: {len(log.entries)} entries until {log.time_unit} {log.time:g}")


@app.command()
def export(
    run: Run,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FOLDER", help="Where; RUN/export if left out.")
    ] = None,
) -> None:
    """Write a run's student as a merged model that transformers loads, and as an adapter for vLLM."""
    folder = _run_folder(run)
    from simdistill.runs.export import export as write

    for path in write(folder, output):
        typer.echo(f"wrote {path}")


@app.command()
def leaderboard(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Holds protocol.yaml and a folder for each cell.")
    ] = Path("benchmarks/results/cpu-v1"),
    json: Annotated[bool, typer.Option("--json", help="Print the board as data, write no page.")] = False,
) -> None:
    """Write the page of a leaderboard from its results' files alone.

    For example: simdistill leaderboard benchmarks/results/cpu-v1
    """
    from simdistill.leaderboard import board, load_protocol, read_results

    protocol = load_protocol(folder / "protocol.yaml")
    found = board(protocol, *read_results(folder, protocol))
    if json:
        import json as notation

        typer.echo(notation.dumps(found, indent=2, allow_nan=False))
        return
    from simdistill.leaderboard.page import show, write_page

    show(found, _wide())
    typer.echo(f"leaderboard: {write_page(found, folder)}")


@app.command()
def serve(
    run: Run,
    host: Annotated[str, typer.Option(help="Address to listen at; others than your own reach 0.0.0.0.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for any that is free.")] = 8000,
) -> None:
    """Let a run's student answer over HTTP, with a page to try it."""
    folder = _run_folder(run)
    try:
        from simdistill.serving.app import serve as listen
    except ModuleNotFoundError as error:
        if error.name not in ("fastapi", "uvicorn"):
            raise
        raise InputError(
            f"serve needs {error.name}, which isn't installed; get it with: "
            f"{sys.executable} -m pip install fastapi uvicorn"
        ) from None
    listen(folder, host, port, lambda address: typer.echo(f"{address} (stop with Ctrl-C)"))


@app.command()
def fetch() -> None:
    """Get the embedded student into the cache, checked, and converted once."""
    from simdistill.models.pretrained import SMOLLM2_135M

    model = SMOLLM2_135M.fetch()
    typer.echo(f"{model.name} is in {model.folder}")


@app.command("list")
def list_() -> None:
    """List simulators, tasks, teachers, methods and students."""
    from simdistill import config, registry

    sections = {kind: {name: _line(kind, name) for name in registry.names(kind)} for kind in registry.KINDS}
    tasks = {name: config.describe_task(path) for name, path in config.tasks().items()}
    sections = {"simulators": sections.pop("simulators"), "tasks": tasks, **sections}
    table = Table.grid(padding=(0, 2))
    for kind, lines in sections.items():
        table.add_row(f"[bold]{kind}[/bold]")
        for name, line in lines.items():
            table.add_row(f"  {_escaped(name)}", _escaped(line))
    Console().print(table)


def _line(kind: str, name: str) -> str:
    """A name's description; one that can't be loaded doesn't keep the others from being listed."""
    from simdistill import registry

    try:
        return registry.describe(kind, name)
    except (InputError, ImportError) as error:
        return f"can't be loaded: {error}"


def _wide() -> Console:
    """A console whose tables aren't squeezed when they go to a file."""
    console = Console()
    return console if console.is_terminal else Console(width=150)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _resumed(overrides: list[str]) -> Path | None:
    """The folder of `resume=RUN`, which stands alone: the run's own configuration holds."""
    resumed = [override.partition("=")[2] for override in overrides if override.startswith("resume=")]
    if not resumed:
        return None
    others = [override for override in overrides if not override.startswith("resume=")]
    if others or len(resumed) > 1:
        raise InputError(
            f"resume={resumed[0]} goes on as its config.yaml says; leave out {' '.join(others)}".rstrip()
        )
    return _run_folder(Path(resumed[0]))


def _run_folder(path: Path) -> Path:
    if not (path / "config.yaml").is_file():
        runs = sorted(str(found.parent) for found in Path("outputs").glob("*/*/config.yaml"))
        raise InputError(
            f"{path}: there is no run (no config.yaml) here; runs: {', '.join(runs) or 'none in outputs/'}"
        )
    return path


@contextmanager
def _explained() -> Iterator[None]:
    """Turns what people can mend into one message on stderr; all else keeps its traceback."""
    try:
        yield
    except InputError as error:
        _stop(str(error), 2)
    except ProcessError as error:
        _stop(f"{error}{_place(error.__cause__)}", 2)
    except KeyboardInterrupt as error:
        # The pipeline says which folder it was writing.
        folder = f"; go on with simdistill run resume={error.args[0]}" if error.args else ""
        _stop(f"stopped{folder}", 130)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        place = f" for {error.filename}" if error.filename else ""
        _stop(
            f"the disk is full: no space left{place}; what was finished is kept, "
            "so make room and go on with simdistill run resume=RUN",
            1,
        )


def _place(cause: BaseException | None) -> str:
    """Where in a simulator's own code an error arose."""
    frames = traceback.extract_tb(cause.__traceback__) if cause else []
    return f"\n  in {frames[-1].filename}, line {frames[-1].lineno}: {frames[-1].line}" if frames else ""


def _stop(message: str, code: int) -> None:
    print(f"simdistill: {message}", file=sys.stderr)
    raise typer.Exit(code)
