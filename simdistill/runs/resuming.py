"""The configuration with which a run goes on: which of its fields may have changed since it began."""

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from simdistill.config import RunConfig, changed, differences, load_config, save
from simdistill.errors import InputError
from simdistill.files import read_json
from simdistill.runs.layout import Layout
from simdistill.runs.lock import locked

ALWAYS, UNTIL_EXAMINED = "always", "until examined"
CHANGEABLE = {
    "check": ALWAYS,
    "compute": ALWAYS,
    "threads": ALWAYS,
    "workers": ALWAYS,
    "evaluation": UNTIL_EXAMINED,
}
"""Field, or section -> when it changes no result that exists."""


def settle(folder: Path, overrides: Sequence[str] = (), again: bool = False) -> None:
    """Settles the configuration with which a run goes on, and saves it if fields have changed.

    Fields change by overrides, or by hand in `config.yaml`. The latter is noticed where the folder has a copy
    of the configuration, which folders of earlier versions don't have.

    Args:
        folder: The run's folder.
        overrides: Fields with their new values, such as `threads=2`.
        again: Whether the run is examined again, so that no result of an examination is kept.

    Raises:
        InputError: If results that exist depend on a changed field, or another run is using the folder.
    """
    layout = Layout.of(folder)
    written = load_config(layout.config)
    begun = load_config(layout.begun) if layout.begun.exists() else written
    wanted = changed(written, overrides, f"resume={folder}") if overrides else written
    found = differences(begun, wanted)
    if not found:
        return
    examined = examination_is_finished(layout) and not again
    refused = {name: values for name, values in found.items() if not _changeable(name, examined)}
    if refused:
        raise InputError(_refusal(folder, refused, differences(written, wanted), begun, examined))
    with locked(folder):
        save(wanted, layout.config)
        if layout.begun.exists():
            save(wanted, layout.begun)


def examination_is_finished(layout: Layout) -> bool:
    """Returns whether a run has been examined.

    A `metrics.json` without a layout is from a run that was stopped before its provenance was added.
    """
    return layout.metrics.exists() and "layout" in read_json(layout.metrics)


def _changeable(name: str, examined: bool) -> bool:
    when = CHANGEABLE.get(name.partition(".")[0])
    return when == ALWAYS or (when == UNTIL_EXAMINED and not examined)


def _refusal(
    folder: Path,
    refused: Mapping[str, tuple[Any, Any]],
    given: Mapping[str, Any],
    begun: RunConfig,
    examined: bool,
) -> str:
    """Returns a message that names each field with both values, and says what to do.

    Args:
        folder: The run's folder.
        refused: Field's name -> its value in the run and the new one.
        given: The fields that were given as overrides; others differ in `config.yaml`.
        begun: The configuration with which the run began.
        examined: Whether the run has been examined.
    """
    lines = [
        f"  {name} is {json.dumps(before)} in the run and {json.dumps(after)} "
        f"{'as given' if name in given else 'in config.yaml'}"
        for name, (before, after) in refused.items()
    ]
    run = shlex.quote(str(folder))
    advice = []
    if any(name in given for name in refused):
        advice.append("leave them out")
    if any(name not in given for name in refused):
        advice.append(f"set them back in {folder / 'config.yaml'}")
    advice.append(f"begin a new run: simdistill run task={begun.task.name} …")
    if examined and all(name.startswith("evaluation.") for name in refused):
        advice.append(f"examine the student again: set them in config.yaml, then simdistill evaluate {run}")
    allowed = [name for name in CHANGEABLE if _changeable(name, examined)]
    return "\n".join(
        [
            f"{folder}: results that exist depend on fields that differ:",
            *lines,
            f"Either {', or '.join(advice)}. A run that goes on takes other values of {', '.join(allowed)}.",
        ]
    )
