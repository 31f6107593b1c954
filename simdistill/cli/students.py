"""The verbs for language models: export and serve a student, fetch its base model."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from simdistill.cli.arguments import Run, run_folder
from simdistill.errors import InputError

SERVING = ("fastapi", "genson", "jsonschema", "uvicorn")
"""Packages that only `serve` needs."""


def export(
    run: Run,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FOLDER", help="Folder to write to; RUN/export if left out."),
    ] = None,
) -> None:
    """Write a run's student as a merged model that transformers loads, and as an adapter for vLLM."""
    folder = run_folder(run)
    from simdistill.runs.export import export as write

    for path in write(folder, output):
        typer.echo(f"wrote {path}")


def serve(
    run: Run,
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 lets other machines in.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for any that is free.")] = 8000,
) -> None:
    """Let a run's student answer over HTTP, with a page to try it."""
    folder = run_folder(run)
    try:
        from simdistill.serving.app import serve as listen
    except ModuleNotFoundError as error:
        if error.name not in SERVING:
            raise
        raise InputError(
            f"serve needs {error.name}, which isn't installed; get it with: "
            f"{sys.executable} -m pip install {' '.join(SERVING)}"
        ) from None
    listen(folder, host, port, lambda address: typer.echo(f"{address} (stop with Ctrl-C)"))


def fetch() -> None:
    """Get the embedded student into the cache, checked, and converted once."""
    from simdistill.models.pretrained import SMOLLM2_135M

    model = SMOLLM2_135M.fetch()
    typer.echo(f"{model.name} is in {model.folder}")
