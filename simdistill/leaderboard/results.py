"""Reading the results of a board's cells; results that don't conform to the protocol are refused."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any

from simdistill.config import PLACE, fingerprint, load_config, read_yaml
from simdistill.errors import InputError
from simdistill.leaderboard.protocol import Cell, Protocol
from simdistill.results import Results, TaskResults, read_document
from simdistill.runs.record import WEIGHTS


@dataclass(frozen=True)
class Result:
    """The result of a cell.

    Attributes:
        cell: The cell.
        run: The results of its run.
    """

    cell: Cell
    run: Results

    @property
    def task(self) -> TaskResults:
        """The run's results on the cell's task."""
        return self.run.task(self.cell.task)


@dataclass(frozen=True)
class Refused:
    """A result that the protocol doesn't allow.

    Attributes:
        path: Path of the result's `metrics.json`.
        reason: The reason for the refusal, in words.
    """

    path: str
    reason: str


def read_results(folder: Path, protocol: Protocol) -> tuple[list[Result], list[Refused]]:
    """Reads the `metrics.json` of every run in a folder.

    Returns:
        The results that count, in the order of the protocol's cells, and the refused ones.

    Raises:
        InputError: If no result counts, or the protocol names a field, task or method that doesn't exist.
    """
    protocol.config(protocol.cells[0])  # raises if the protocol describes no runs
    found: dict[Path, Result] = {}
    refused: dict[Path, str] = {}
    paths = sorted(folder.glob("*/metrics.json"))
    if not paths:
        raise InputError(
            f"{folder} holds no results (no */metrics.json); run benchmarks/leaderboard.py PROTOCOL {folder}"
        )
    for path in paths:
        try:
            found[path] = _read(path, protocol)
        except InputError as error:
            refused[path] = str(error)
    refused |= _twice(found, "the same adapter", lambda result: result.run.sha256.get(WEIGHTS))
    refused |= _twice(found, "the same cell", lambda result: str(result.cell))
    counting = {result.cell: result for path, result in found.items() if path not in refused}
    if not counting:
        path, why = next(iter(sorted(refused.items())))
        raise InputError(f"none of the {len(paths)} results in {folder} counts; {path.parent.name}: {why}")
    listed = [Refused(str(path.relative_to(folder)), why) for path, why in sorted(refused.items())]
    return [counting[cell] for cell in protocol.cells if cell in counting], listed


def _twice(found: Mapping[Path, Result], what: str, key: Callable[[Result], str | None]) -> dict[Path, str]:
    """Returns path -> reason of refusal, for the results that share a key which must be unique.

    Args:
        found: Path -> result.
        what: Words for the key.
        key: Returns a result's key; None for a result without one.
    """
    owners: dict[str, list[Path]] = {}
    for path, result in found.items():
        if one := key(result):
            owners.setdefault(one, []).append(path)
    shared = [paths for paths in owners.values() if len(paths) > 1]
    return {
        path: f"{what} as {', '.join(other.parent.name for other in paths if other != path)}; keep one"
        for paths in shared
        for path in paths
    }


def _read(path: Path, protocol: Protocol) -> Result:
    """Returns a result; raises an `InputError` with the reason if it doesn't count."""
    run = Results.of(read_document(path))
    method, seed = run.method, run.seed
    if len(run.tasks) > 1:
        raise InputError(f"the run has {len(run.tasks)} tasks, but a cell has one")
    task = run.tasks[0].task
    if task not in protocol.tasks:
        raise InputError(f"{protocol.version} has no task {task}")
    names = [name for name, plan in protocol.methods.items() if (plan.method or name) == method]
    if not names:
        raise InputError(f"{protocol.version} has no method {method}")
    cell = _closest(path.parent / "config.yaml", protocol, [Cell(task, name, seed) for name in names])
    if cell.seed >= protocol.methods[cell.method].seeds:
        seeds = protocol.methods[cell.method].seeds
        raise InputError(f"{protocol.version} has seeds 0 to {seeds - 1} of {cell.method}, not {cell.seed}")
    _check_config(path.parent / "config.yaml", run, protocol, cell)
    result = Result(cell, run)
    _check_budget(result, protocol)
    return result


def _closest(path: Path, protocol: Protocol, cells: Sequence[Cell]) -> Cell:
    """Returns the cell whose planned configuration is most similar to a run's.

    Several cells are possible if a protocol has variants of a method, which run under the method's name.
    """
    if len(cells) == 1:
        return cells[0]
    run = load_config(path).model_dump(mode="json")

    def distance(cell: Cell) -> int:
        return len(list(_differences(run, protocol.config(cell).model_dump(mode="json"))))

    return min(cells, key=distance)


def _check_config(path: Path, results: Results, protocol: Protocol, cell: Cell) -> None:
    """Checks that results were made with the configuration beside them, and that this is the protocol's."""
    if fingerprint(read_yaml(path)) != results.config_sha256:
        raise InputError("config.yaml beside it isn't the configuration that it was made with")
    # Loading validates the file, so that fields newer than the run get a value in both configurations.
    config = load_config(path)
    if config.seed != cell.seed:
        raise InputError(f"its seed is {cell.seed}, but the seed in config.yaml beside it is {config.seed}")
    run, planned = (one.model_dump(mode="json") for one in (config, protocol.config(cell)))
    differing = [
        f"{name} is {_short(there)}, in {protocol.version} {_short(here)}"
        for name, there, here in _differences(run, planned)
    ]
    if differing:
        raise InputError("; ".join(differing[:3]) + (" …" if len(differing) > 3 else ""))


def _short(value: Any) -> str:
    """Returns a value's text on one line, shortened if it is long."""
    return shorten(str(value), 60, placeholder=" …")


def _differences(run: Mapping, planned: Mapping, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yields the dotted name and both values of each field in which two configurations differ."""
    for name in sorted(run.keys() | planned.keys()):
        there, here = run.get(name), planned.get(name)
        if not prefix and name in PLACE:
            continue
        if isinstance(there, dict) and isinstance(here, dict):
            yield from _differences(there, here, f"{prefix}{name}.")
        elif there != here:
            yield f"{prefix}{name}", there, here


def _check_budget(result: Result, protocol: Protocol) -> None:
    """Checks the resources that a run used; forecast questions are allowed in addition to the budget."""
    forecasts = protocol.config(result.cell).distill.forecasts
    asked, searched = result.run.questions, result.task.states_searched
    if asked > protocol.questions + forecasts:
        raise InputError(
            f"the run trained on {asked} questions, but the budget is {protocol.questions} decisions "
            f"and {forecasts} forecasts"
        )
    if searched > protocol.states:
        raise InputError(f"{searched} states were searched for the run, but the budget is {protocol.states}")
