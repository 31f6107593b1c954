"""Arguments that several verbs share: overrides of a configuration, and a run's folder."""

from pathlib import Path
from typing import Annotated

import typer

from simdistill.cli import completion
from simdistill.errors import InputError

OVERRIDES = "task=NAME, then field=value; field=a,b,c runs each."

Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="OVERRIDES", help=OVERRIDES, autocompletion=completion.overrides),
]
Run = Annotated[
    Path,
    typer.Argument(
        metavar="RUN", help="A run's folder, as outputs/queueing/….", autocompletion=completion.runs
    ),
]


def resumed_folder(overrides: list[str]) -> tuple[Path | None, list[str]]:
    """Returns the folder of `resume=RUN`, or None without it, and the other overrides.

    Raises:
        InputError: If several runs are named, or one that isn't there.
    """
    resumed = [override.partition("=")[2] for override in overrides if override.startswith("resume=")]
    others = [override for override in overrides if not override.startswith("resume=")]
    if not resumed:
        return None, others
    if len(resumed) > 1:
        raise InputError(
            f"resume= takes one run, not {len(resumed)}: {', '.join(resumed)}; resume each alone"
        )
    return run_folder(Path(resumed[0]).expanduser()), others


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
