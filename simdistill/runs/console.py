"""What a person sees of a run: stages with progress bars and times left, then a small table."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from simdistill.data.answers import listed


class Stages:
    """Progress bars, one for every phase that reports."""

    def __init__(self, console: Console):
        self.console = console
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TextColumn("[dim]spent"),
            TimeElapsedColumn(),
            TextColumn("[dim]left"),
            TimeRemainingColumn(),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}

    @contextmanager
    def shown(self) -> Iterator["Stages"]:
        """Shows the bars while the block runs."""
        with self._progress:
            yield self

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Reports how far a phase is; phases are shown in the order in which they first report."""
        task = self._tasks.get(phase)
        if task is None:
            task = self._tasks[phase] = self._progress.add_task(phase, total=total)
            if not self.console.is_terminal:
                self.console.print(f"{phase} …")
        self._progress.update(task, completed=done, total=total)


SETTINGS = {
    "default": "default",
    "in_distribution": "in distribution",
    "out_of_distribution": "out of distribution",
}


def results(console: Console, metrics: dict, unit: str) -> None:
    """Prints what every policy costs and how far it is above the reference."""
    table = Table(
        title=f"Average cost ({unit}) and distance from the {metrics['reference']}", title_justify="left"
    )
    table.add_column("policy")
    for title in SETTINGS.values():
        table.add_column(title, justify="right")
    for policy in metrics["policies"].values():
        cells = [_cell(policy, setting) for setting in SETTINGS]
        table.add_row(policy["title"], *cells)
    console.print(table)
    valid = metrics["valid_answers"]
    console.print(
        f"valid answers {int(valid * 10000) / 100:g}%, "
        f"{metrics['decisions_per_second']:.0f} decisions a second, "
        f"{sum(metrics['seconds'].values()) / 60:.1f} minutes, {metrics['peak_memory_mb'] / 1000:.1f} GB"
    )
    if metrics.get("said_instead_of_choices"):
        console.print(_without_answers(metrics), style="bold red", markup=False, highlight=False)


def _without_answers(metrics: dict) -> str:
    """Tells what a student says that says no choice: its costs are those of the likeliest ones."""
    said = metrics["said_instead_of_choices"]
    shown = listed((one["said"], one["choices"]) for one in said)
    return (
        f"The student said none of the choices in {metrics['questions_asked']} answers, so it was held to "
        f"the likeliest one each time; the first it said:{shown}\nRaise distill.questions or "
        "distill.learning_rate, or say in task.language.description how to answer; a method that imitates "
        "answers teaches them first (sft_grpo before grpo)."
    )


def _cell(policy: dict, setting: str) -> str:
    cost = policy["cost"].get(setting)
    if cost is None:
        return ""
    if cost.get("unstable"):
        return "unstable"
    over = policy["over_reference"].get(setting)
    return f"{cost['mean']:.3f}" + (f"  {over['mean']:+.1%}" if over else "")
