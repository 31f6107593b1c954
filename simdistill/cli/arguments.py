"""Arguments that several verbs share: overrides of a configuration, and a run's folder."""

from pathlib import Path
from typing import Annotated

import typer

from simdistill.errors import InputError

OVERRIDES = "task=NAME, then field=value; field=a,b,c runs each."

Overrides = Annotated[list[str] | None, typer.Argument(metavar="OVERRIDES", help=OVERRIDES)]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, as outputs/queueing/….")]


def resumed_folder(overrides: list[str]) -> Path | None:
    """Returns the folder of `resume=RUN`, or None without it.

    No other overrides are allowed beside it, as the run's own configuration is used.
    """
    resumed = [override.partition("=")[2] for override in overrides if override.startswith("resume=")]
    if not resumed:
        return None
    others = [override for override in overrides if not override.startswith("resume=")]
    if others or len(resumed) > 1:
        raise InputError(
            f"resume={resumed[0]} goes on as its config.yaml says; leave out {' '.join(others)}".rstrip()
        )
    return run_folder(Path(resumed[0]).expanduser())


def run_folder(path: Path) -> Path:
    """Returns a folder after checking that it contains a run.

    Raises:
        InputError: If it has no config.yaml; the message lists the runs in `outputs/`.
    """
    if not (path / "config.yaml").is_file():
        runs = sorted(str(found.parent) for found in Path("outputs").glob("*/*/config.yaml"))
        raise InputError(
            f"{path}: there is no run (no config.yaml) here; runs: {', '.join(runs) or 'none in outputs/'}"
        )
    return path
