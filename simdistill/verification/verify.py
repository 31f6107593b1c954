"""Selects and runs known cases; compares known answers with simulators and reference solvers in one table."""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from simdistill import config, registry
from simdistill.errors import InputError
from simdistill.executors import Map, simulating
from simdistill.files import write_json
from simdistill.simulation import KnownCase, ProcessModel
from simdistill.verification.cases import packaged, read
from simdistill.verification.cross_check import cross_check, require_ciw
from simdistill.verification.experiments import run
from simdistill.verification.item import FULL, QUICK, Budget, Item
from simdistill.verification.laws import CONSERVATION, LAW, LITTLE
from simdistill.verification.verdict import Estimate, Row, Verdict, judge

QUICK_CASES = frozenset(
    {
        "mmc-0.5-1-1",
        "erlang-b-3-5",
        "mmck-2.5-3-6",
        "mg1-deterministic",
        "two-class-cost-[0.3, 0.4]-c_mu",
        "routing-1.4-[1, 1]-jsq",
        "slow-server-0.5-[1, 0.2]-optimal",
        "naor-0.8-10-social",
        "criss-cross-IL-optimal",
        "criss-cross-BL-maxweight",
        "lost-sales-poisson-1-4-optimal",
        "lost-sales-poisson-2-4-capped",
        "backorders-0",
        "s-S-10",
        "newsvendor",
        "clark-scarf-6.1",
        "beer-game-order-up-to",
    }
)
"""Ids of the packaged cases of `--quick` besides the job shops: a few of each family without long runs."""

COLOURS = {
    Verdict.AGREES: "green",
    Verdict.DISAGREES: "bold red",
    Verdict.DIFFERS: "yellow",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.FAILED: "bold red",
}


@dataclass
class Selection:
    """The cases to verify.

    Attributes:
        items: The cases, each with its simulator.
        skipped: Messages, one for each simulator or family that can't be verified, with the reason.
    """

    items: list[Item] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def select(name: str | None, folder: Path | None, quick: bool) -> Selection:
    """Selects cases and their simulators.

    Args:
        name: Name of a simulator, a family or a case; None for all.
        folder: Folder of the cases; None for the cases packaged with simdistill.
        quick: Whether the budget is small and, of the packaged cases, only a few are selected.

    Raises:
        InputError: If a file of cases is wrong, or no simulator, family or case has this name.
    """
    cases = packaged() if folder is None else read(folder)
    simulators, found = _simulators()
    owner = {family: key for key, simulator in simulators.items() for family in simulator.families}
    wanted = [case for case in cases if name in (None, owner.get(case.family), case.family, case.id)]
    budget = QUICK if quick else FULL
    selection = Selection(skipped=found if name is None else [])
    for family in dict.fromkeys(case.family for case in wanted if case.family not in owner):
        count = sum(case.family == family for case in wanted)
        families = ", ".join(sorted(owner)) or "none"
        selection.skipped.append(
            f"family {family}: no simulator has this family; cases skipped: {count}; families: {families}"
        )
    for case in wanted:
        chosen = not quick or folder is not None or case.id in QUICK_CASES or case.family == "job_shop"
        if case.family in owner and chosen:
            key = owner[case.family]
            selection.items.append(Item(key, simulators[key], case, budget))
    if folder is None:
        selection.items += _tasks_without_cases(
            simulators, {item.name for item in selection.items}, name, budget
        )
    if name is not None and not selection.items:
        known = dict.fromkeys(
            [*simulators, *owner, *(case.family for case in cases), *(case.id for case in cases)]
        )
        if name in known or name in registry.names("simulators"):
            why = [
                line
                for line in (*found, *selection.skipped)
                if line.startswith((f"{name}:", f"family {name}:"))
            ]
            raise InputError(
                why[0] if why else f"{name}: there are no known answers for it; give some with --cases FOLDER"
            )
        raise InputError(registry.unknown("simulator, family or case", name, known))
    return selection


def _simulators() -> tuple[dict[str, type[ProcessModel]], list[str]]:
    """Returns the simulators by name, and a message for each that can't be loaded."""
    found, skipped = {}, []
    for name in registry.names("simulators"):
        try:
            simulator = registry.load("simulators", name)
        except (InputError, ImportError) as error:
            skipped.append(f"{name}: can't be loaded: {error}")
            continue
        if isinstance(simulator, type) and issubclass(simulator, ProcessModel):
            found[name] = simulator
    return found, skipped


def _tasks_without_cases(
    simulators: dict[str, type[ProcessModel]], seen: set[str], name: str | None, budget: Budget
) -> Iterable[Item]:
    """Yields an item for each simulator without known answers: a task's experiment, to check the laws."""
    wanted = {key for key in simulators if key not in seen and name in (None, key)}
    for path in config.tasks().values() if wanted else ():
        key = yaml.safe_load(path.read_text(encoding="utf-8"))["task"].get("simulator")
        if key not in wanted:
            continue
        wanted.remove(key)
        task = config.compose([f"task={path}"], check=False)[0].task
        case = KnownCase(f"task {task.name}", key, {}, {}, {}, {"kind": task.kind}, ())
        yield Item(key, simulators[key], case, budget, task)


def verify(
    name: str | None,
    folder: Path | None,
    quick: bool,
    crossed: bool,
    console: Console,
    workers: int | None = None,
) -> list[Row]:
    """Runs the selected cases in parallel and returns their rows with verdicts.

    Args:
        name: Name of a simulator, a family or a case; None for all.
        folder: Folder of the cases; None for the cases packaged with simdistill.
        quick: Whether the budget is small and, of the packaged cases, only a few are run.
        crossed: Whether Ciw also simulates the cases that it can express.
        console: Console that shows skipped cases and progress.
        workers: Number of processes; None for one per core.

    Raises:
        InputError: If a file of cases is wrong, no simulator, family or case has this name, or Ciw isn't
            installed.
    """
    if crossed:
        require_ciw()
    selection = select(name, folder, quick)
    for line in selection.skipped:
        console.print(f"[yellow]skipped[/yellow] {line}", highlight=False, soft_wrap=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress, simulating(workers) as compute:
        bar = progress.add_task("verifying", total=len(selection.items))
        rows = run(selection.items, compute, lambda item: progress.advance(bar))
        if crossed:
            rows += _cross_checked(selection.items, rows, compute, progress)
    judge(rows)
    return rows


def _cross_checked(items: Sequence[Item], rows: Sequence[Row], compute: Map, progress: Progress) -> list[Row]:
    """Simulates in Ciw the cases that it can express; returns a row for each quantity that both measure."""
    plans = [(item, [row for row in rows if row.case == item.case.id]) for item in items]
    found = progress.track(compute(cross_check, plans), total=len(plans), description="in Ciw")
    return list(itertools.chain.from_iterable(found))


def save(rows: Sequence[Row], path: Path) -> None:
    """Writes all rows to a JSON file."""
    write_json(path, [row.as_dict() for row in rows])


def show(rows: Sequence[Row], console: Console) -> None:
    """Prints the table, the number of rows with each verdict, and the notes of rows that don't agree."""
    table = Table("quantity", "known", "source", "solver", "simulated ± 95%", "runs", "verdict", box=None)
    shown = []
    for name in dict.fromkeys(row.simulator for row in rows):
        mine = [row for row in rows if row.simulator == name]
        table.add_row(f"[bold]{name}[/bold]", end_section=True)
        for case in dict.fromkeys(row.case for row in mine if row.source != LAW):
            table.add_row(escape(case))
            shown += _added(table, [row for row in mine if row.case == case and row.source != LAW])
        for law in (LITTLE, CONSERVATION):
            stated = [row for row in mine if row.source == LAW and row.quantity.startswith(law)]
            if stated:
                table.add_row(f"{law}, worst of {len(stated)}")
                shown += _added(table, [min(stated, key=_order)])
    console.print(table)
    counts = [(verdict, sum(row.verdict is verdict for row in rows)) for verdict in Verdict]
    console.print(", ".join(f"{count} {verdict}" for verdict, count in counts if count), highlight=False)
    for row in shown:
        if row.verdict is not Verdict.AGREES and row.notes:
            line = f"{row.case}, {row.quantity}: {'; '.join(row.notes)}"
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def _added(table: Table, rows: Sequence[Row]) -> Sequence[Row]:
    """Adds a line to the table for each row, and returns the rows."""
    for row in rows:
        simulated = row.simulated
        table.add_row(
            f"  {escape(row.quantity)}",
            ""
            if math.isnan(row.value)
            else f"{row.value:.6g}" + (f" ± {row.tolerance:.2g}" if row.tolerance else ""),
            escape(row.source),
            "" if row.solved is None else f"{row.solved:.6g}",
            "" if simulated is None else _shown(simulated),
            "" if simulated is None else str(simulated.replications),
            f"[{COLOURS[row.verdict]}]{row.verdict}[/]" if row.verdict else "",
        )
    return rows


def _shown(simulated: Estimate) -> str:
    half_width = simulated.half_width
    return f"{simulated.mean:.6g}" + (f" ± {half_width:.2g}" if half_width else "")


def _order(row: Row) -> tuple[bool, bool, float, float]:
    """Returns a sort key that puts the worst row first."""
    half_width = row.simulated.half_width if row.simulated else 0.0
    return row.verdict is not Verdict.DISAGREES, row.verdict is Verdict.AGREES, row.p_value, -half_width


def disagreements(rows: Sequence[Row]) -> int:
    """Returns the number of rows that disagree or whose case failed; `simdistill verify` then fails."""
    return sum(row.verdict in (Verdict.DISAGREES, Verdict.FAILED) for row in rows)
