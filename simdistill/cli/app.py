"""The program `simdistill`. A verb's imports are made only when it is called, so that --help is fast."""

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from simdistill.cli import catalogue, runs, simulators, students
from simdistill.cli.terminal import explained

VERBS = (
    runs.run,
    runs.evaluate,
    runs.report,
    runs.play,
    simulators.new,
    simulators.check,
    simulators.validate,
    simulators.verify,
    simulators.trace,
    students.export,
    catalogue.leaderboard,
    students.serve,
    students.fetch,
)


class _Verbs(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        with explained():
            return super().invoke(ctx)


app = typer.Typer(
    cls=_Verbs,
    help="From a SimPy process model to a small language model that runs the process.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for _verb in VERBS:
    app.command()(_verb)
app.command("list")(catalogue.list_)


def main() -> None:
    """Runs the program; the entry point of the console script."""
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
    # Libraries that a verb imports later don't send telemetry.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # The user's own simulators are imported from the current folder, also in worker processes.
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
