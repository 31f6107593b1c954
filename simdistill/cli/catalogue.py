"""The verbs that compare and list: leaderboard, list."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from simdistill.cli.terminal import wide_console
from simdistill.errors import InputError


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

    show(found, wide_console())
    typer.echo(f"leaderboard: {write_page(found, folder)}")


def list_() -> None:
    """List simulators, tasks, teachers, methods and all else that is installed."""
    from simdistill import config, registry

    sections = {kind: {name: _line(kind, name) for name in registry.names(kind)} for kind in registry.KINDS}
    tasks = {name: config.describe_task(path) for name, path in config.tasks().items()}
    sections = {"simulators": sections.pop("simulators"), "tasks": tasks, **sections}
    sections = {kind: lines for kind, lines in sections.items() if lines}
    table = Table.grid(padding=(0, 2))
    for kind, lines in sections.items():
        table.add_row(f"[bold]{kind}[/bold]")
        for name, line in lines.items():
            table.add_row(f"  {_escaped(name)}", _escaped(line))
    Console().print(table)


def _line(kind: str, name: str) -> str:
    """Returns a plug-in's description; for a plug-in that can't be loaded, the reason."""
    from simdistill import registry

    try:
        return registry.describe(kind, name)
    except (InputError, ImportError) as error:
        return f"can't be loaded: {error}"


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
