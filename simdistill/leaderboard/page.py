"""Presentation of a board: a table in the terminal, and one self-contained HTML page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from rich.console import Console
from rich.table import Table

from simdistill.files import write_text
from simdistill.leaderboard.board import ANCHORS, COMPARED, relative
from simdistill.report import formats
from simdistill.report.svg import CHOICE_COLOURS, FAINT, VARIABLES, svg
from simdistill.report.templates import templates
from simdistill.results import SETTINGS
from simdistill.statistics import Estimate

FILE = "leaderboard.html"
SPENT = {
    "minutes": "minutes of wall time",
    "tokens_trained": "tokens trained",
    "simulator_steps": "simulator steps",
}
"""Resource that a figure sets against the cost over the reference -> label of its axis."""
COLUMNS = ("over_reference", "heuristic_gap_closed", "over_teacher", "regret_per_decision")
"""Measures with a column in the page's main table; other measures have a table of their own."""
MARKERS = "osD^vP"
"""Markers of the tasks in a figure where colours stand for methods."""


@dataclass(frozen=True)
class Look:
    """The style in which a method is drawn.

    Attributes:
        colour: Colour of the method's lines and markers.
        filled: Whether lines are solid and markers filled; else they are dashed and hollow.
    """

    colour: str
    filled: bool

    @property
    def line(self) -> str:
        """Matplotlib's name of the line style."""
        return "-" if self.filled else "--"

    @property
    def face(self) -> str:
        """Colour inside a marker."""
        return self.colour if self.filled else "none"

    @property
    def css(self) -> str:
        """CSS of the dot in the legend."""
        variable = f"var(--{VARIABLES[self.colour]})"
        return f"background: {variable}" if self.filled else f"border: 2px solid {variable}"


def write_page(board: Mapping[str, Any], folder: Path) -> Path:
    """Writes `leaderboard.html` into a folder and returns its path.

    Args:
        board: The board, as `simdistill.leaderboard.board` returns it.
        folder: Folder of the page.
    """
    pages = templates(Path(__file__).parent)
    pages.filters.update(over=over, share=share, amount=amount, stable=stable, within=within)
    looks = _looks(board)
    path = folder / FILE
    page = pages.get_template("leaderboard.html.j2").render(
        board=board,
        settings=SETTINGS,
        compared=COMPARED,
        anchors=ANCHORS,
        run=sum(cell["run"] for cell in board["cells"]),
        looks=looks,
        profiles=[(setting, _profile(board, setting, looks)) for setting in COMPARED],
        qualities=[(name, _quality(board, looks, name)) for name in SPENT],
        further=further(board),
        learning={task: _learning(task, entry["methods"], looks) for task, entry in board["tasks"].items()},
        markers=dict(zip(board["tasks"], MARKERS, strict=False)),
    )
    write_text(path, page)
    return path


def show(board: Mapping[str, Any], console: Console) -> None:
    """Prints cost over the reference of every method, and the claim's verdict."""
    table = Table("task", "method", *(formats.words(setting) for setting in SETTINGS), "minutes")
    for task, entry in board["tasks"].items():
        for method, found in entry["methods"].items():
            cells = [over(found["over_reference"][s]) for s in SETTINGS] if found else ["not run", "", ""]
            table.add_row(task, method, *cells, amount(found["minutes"]) if found else "")
    console.print(table)
    for one in board["refused"]:
        console.print(f"refused {one['path']}: {one['reason']}", markup=False)
    claim = board["claim"]
    if claim is None:
        return
    console.print(
        f"claim: {claim['verdict']}, {claim['cells']['run']} of its {claim['cells']['planned']} cells run"
    )
    for condition in claim["conditions"]:
        outcome = {True: "met", False: "not met", None: "undecided"}[condition["met"]]
        console.print(f"  {outcome}: {condition['condition']}", markup=False, highlight=False)


def further(board: Mapping[str, Any]) -> dict[str, bool]:
    """Returns the names of the measures without a column of the main table -> whether they are shares."""
    methods = [method for task in board["tasks"].values() for method in task["methods"].values() if method]
    names = {name: None for method in methods for name, found in method.items() if _by_setting(found)}
    known = [name for name in names if name not in COLUMNS]
    return {name: relative(name) for name in known}


def _by_setting(found: Any) -> bool:
    return isinstance(found, dict) and set(found) == set(SETTINGS)


def over(entry: Mapping[str, Any] | None) -> str:
    """Returns the text of a cost over the reference: interval and number of unstable runs included."""
    return stable(entry, as_share=True)


def stable(entry: Mapping[str, Any] | None, as_share: bool) -> str:
    """Returns the text of a measure over stable runs, with its interval and the number of unstable runs."""
    if entry is None:
        return formats.NOTHING
    unstable = entry.get("unstable") or 0
    if entry["mean"] is None:
        return "unstable"
    return (share(entry) if as_share else amount(entry)) + (f", {unstable} unstable" if unstable else "")


def share(entry: Mapping[str, Any] | None) -> str:
    """Returns the text of a fraction as percent, with its interval."""
    return _written(entry, formats.percent, as_percent=True)


def within(interval: Sequence[float] | None) -> str:
    """Returns the text of an interval of fractions as percent; empty without an interval."""
    return f"{formats.percent(interval[0])} to {formats.percent(interval[1])}" if interval else ""


def amount(entry: Mapping[str, Any] | None) -> str:
    """Returns the text of a number with its interval."""
    return _written(entry, formats.number, as_percent=False)


def _written(entry: Mapping[str, Any] | None, form: Callable[[float], str], as_percent: bool) -> str:
    found = Estimate.of(entry)
    if found is None:
        return formats.NOTHING
    interval = formats.interval(found, as_percent)
    return form(found.mean) + (f" ({interval})" if interval else "")


def _looks(board: Mapping[str, Any]) -> dict[str, Look]:
    known = cycle([Look(colour, filled) for filled in (True, False) for colour in CHOICE_COLOURS])
    return dict(zip(board["overall"], known, strict=False))


def _profile(board: Mapping[str, Any], setting: str, looks: Mapping[str, Look]) -> Markup:
    """Draws the share of runs within each distance from the reference, with bands that resample seeds."""
    thresholds, lines = board["profile"]["thresholds"], board["profile"][setting]

    def draw(figure: Figure) -> None:
        axes = figure.add_axes((0.15, 0.2, 0.82, 0.74))
        for method, found in lines.items():
            look = looks[method]
            axes.step(thresholds, found["share"], look.line, where="post", color=look.colour)
            band = {"step": "post", "color": look.colour, "alpha": 0.12, "linewidth": 0}
            axes.fill_between(thresholds, found["low"], found["high"], **band)
        axes.set(xlim=(0, thresholds[-1]), ylim=(0, 1.02))
        axes.set(xlabel="at most so far over the reference", ylabel="share of runs")
        _percent(axes.xaxis, axes.yaxis)

    return svg(f"profile-{setting}", f"Performance profile, {formats.words(setting)}", 420, 260, draw)


def _quality(board: Mapping[str, Any], looks: Mapping[str, Look], spent: str) -> Markup:
    """Draws cost over the reference, in distribution, against a resource, by method and task."""

    def draw(figure: Figure) -> None:
        axes = figure.add_axes((0.17, 0.2, 0.79, 0.74))
        for marker, entry in zip(_markers(len(board["tasks"])), board["tasks"].values(), strict=True):
            for method, found in entry["methods"].items():
                value = found and found["over_reference"]["in_distribution"]
                if value and value["mean"] is not None:
                    x, look = found[spent]["mean"], looks[method]
                    style = {"color": look.colour, "markerfacecolor": look.face, "markersize": 7}
                    axes.plot([x], [value["mean"]], marker, **style)
        axes.set(xlabel=SPENT[spent], ylabel="cost over the reference", xlim=(0, None))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.axhline(0, color=FAINT, linewidth=1.5)
        _percent(axes.yaxis)

    return svg(f"quality-{spent}", f"Cost over the reference against {SPENT[spent]}", 420, 260, draw)


def _learning(task: str, methods: Mapping[str, Any], looks: Mapping[str, Look]) -> Markup:
    """Draws the ratio of the student's and the heuristic's regret on validation questions against time."""

    def draw(figure: Figure) -> None:
        axes = figure.add_axes((0.17, 0.2, 0.8, 0.74))
        for method, found in methods.items():
            points = found["learning"]["points"] if found else []
            x, y = ([point[name] for point in points] for name in ("minutes", "regret"))
            axes.plot(x, y, looks[method].line, color=looks[method].colour, marker=".")
        axes.axhline(1, color=FAINT, linewidth=1.5)
        axes.set(xlabel="minutes of distilling", ylabel="regret over the heuristic's")
        axes.set(xlim=(0, None), ylim=(0, 3))
        _percent(axes.yaxis)

    title = f"Regret over the heuristic's against time, {formats.words(task)}"
    return svg(f"learning-{task}", title, 420, 260, draw)


def _markers(count: int) -> Sequence[str]:
    return [MARKERS[place % len(MARKERS)] for place in range(count)]


def _percent(*axes: Any) -> None:
    for axis in axes:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{formats.trimmed(100 * value)}%"))
