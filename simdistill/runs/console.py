"""Output of a run: phases with their progress and remaining times, then a small table of results."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

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

from simdistill.config import RunConfig
from simdistill.data.answers import listed
from simdistill.progress import Progress as Reports
from simdistill.results import SETTINGS, PolicyResults, Results, TaskResults
from simdistill.runs.lines import Lines
from simdistill.simulation.branching import MAX_DOUBLINGS


@contextmanager
def progress_on(console: Console) -> Iterator[Reports]:
    """Shows progress on a console while the block runs: as bars on a terminal, elsewhere as lines of text."""
    if console.is_terminal:
        shown = Bars(console).shown()
    else:
        shown = Lines(partial(console.print, markup=False, highlight=False, soft_wrap=True)).shown()
    with shown as progress:
        yield progress


class Bars:
    """Progress bars, one for each phase of a run that reports progress."""

    def __init__(self, console: Console):
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
    def shown(self) -> Iterator["Bars"]:
        """Shows the bars while the block runs."""
        with self._progress:
            yield self

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Reports a phase's progress; phases are shown in the order of their first reports."""
        task = self._tasks.get(phase)
        if task is None:
            task = self._tasks[phase] = self._progress.add_task(phase, total=total)
        self._progress.update(task, completed=done, total=total)


TITLES = dict(zip(SETTINGS, ("default", "in distribution", "out of distribution"), strict=True))


def results(console: Console, found: Results, config: RunConfig) -> None:
    """Prints, for each task, the cost of every policy and its distance from the reference.

    Args:
        console: The console to print to.
        found: The run's results.
        config: The run's configuration.
    """
    units = {task.name: task.cost_unit for task in [config.task]}
    for task in found.tasks:
        _costs(console, task, units.get(task.task, "cost"))
        console.print(f"valid answers {int(task.valid_answers * 10000) / 100:g}%")
        if task.said_instead_of_choices:
            console.print(_without_answers(task), style="bold red", markup=False, highlight=False)
        if (warning := unsettled(task, config)) is not None:
            console.print(warning, style="bold yellow", markup=False, highlight=False)
    console.print(
        f"{found.decisions_per_second:.0f} decisions a second, "
        f"{sum(found.seconds.values()) / 60:.1f} minutes, {found.peak_memory_mb / 1000:.1f} GB"
    )


def unsettled(task: TaskResults, config: RunConfig) -> str | None:
    """Returns a warning about searched states whose futures were too short; None if there are none.

    It says in how many states even the longest futures couldn't tell what a choice costs, and what to do.
    """
    count = sum(generation.states_unsettled or 0 for generation in task.generations)
    if not count:
        return None
    longest = f"{config.teacher.horizon * 2**MAX_DOUBLINGS:g} {config.task.time_unit}s"
    return (
        f"In {count} of {sum(generation.states for generation in task.generations)} searched states the "
        f"longest what-if futures, {longest}, couldn't tell what some choice costs: the branches hadn't come "
        "to the same state, and their costs weren't at rest. Raise teacher.horizon "
        f"({config.teacher.horizon:g}), or let fingerprint() tell when branches are equal; a task whose "
        "episodes end is kind: terminating."
    )


def _costs(console: Console, task: TaskResults, unit: str) -> None:
    table = Table(title=f"Average cost ({unit}) and distance from the {task.reference}", title_justify="left")
    table.add_column("policy")
    for title in TITLES.values():
        table.add_column(title, justify="right")
    for policy in task.policies.values():
        table.add_row(policy.title, *(_cell(policy, setting) for setting in SETTINGS))
    console.print(table)


def _without_answers(task: TaskResults) -> str:
    """Returns a message about a student that never answered with a choice, with its first texts."""
    shown = listed((one.said, one.choices) for one in task.said_instead_of_choices)
    return (
        f"The student said none of the choices in {task.questions_asked} answers, so it was held to "
        f"the likeliest one each time; the first it said:{shown}\nRaise distill.questions or "
        "distill.learning_rate, or say in task.language.description how to answer; a method that imitates "
        "answers teaches them first (sft_grpo before grpo)."
    )


def _cell(policy: PolicyResults, setting: str) -> str:
    cost, over = policy.cost[setting], policy.over_reference[setting]
    if cost is None:
        return ""
    if cost.mean is None:
        return "unstable"
    return f"{cost.mean:.3f}" + (f"  {over.mean:+.1%}" if over else "")
