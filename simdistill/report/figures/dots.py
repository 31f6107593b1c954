"""Dot plots: every policy's cost over the reference's, one plot for each setting."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from simdistill.report import formats
from simdistill.report.figures.figure import Figure, Shown, rendered
from simdistill.report.record import ANCHORS, Record
from simdistill.report.svg import ACCENT, CARD, FAINT, INK, LINE, MUTED, axes_in, percent_axis, svg
from simdistill.results import SETTINGS
from simdistill.statistics import Estimate


@dataclass(frozen=True)
class Row:
    """One line of a dot plot.

    Attributes:
        title: Text above the line.
        value: Position of the dot; None if the number is unknown.
        label: Text at the right: the number, or the reason why it is unknown.
        colour: Colour of the dot.
    """

    title: str
    value: Estimate | None
    label: str
    colour: str


class Dots(Figure):
    """Cost over the reference of every policy, with intervals."""

    order = 10

    def __call__(self, record: Record) -> Shown | None:
        limit = _limit(record)
        plots = [
            (title, dots(record.id(f"dots-{setting}"), _words(record, title), rows, limit))
            for setting, title in record.settings.items()
            if (rows := _rows(record, setting))
        ]
        return Shown("", rendered("dots.html.j2", plots=plots, record=record)) if plots else None


def _words(record: Record, title: str) -> str:
    return f"Cost over {record.reference_words}, {title.lower()}"


def _rows(record: Record, setting: str) -> list[Row]:
    rows = []
    for name in record.policies:
        if name == record.reference or record.cost(name, setting) is None:
            continue
        unstable = record.unstable(name, setting)
        over = None if unstable else record.over_reference(name, setting)
        label = "unstable" if unstable else formats.percent(over.mean if over else None)
        colour = ACCENT if name == "student" else INK if name == "teacher" else MUTED
        rows.append(Row(record.title(name), over, label, colour))
    return rows


def _limit(record: Record) -> float:
    """Returns the right end of all three axes; anchors are left out, so that they don't squeeze the rest."""
    ends = [
        max(over.mean, *(over.ci95 or [0.0]))
        for name in record.policies
        for setting in SETTINGS
        if name not in ANCHORS and (over := record.over_reference(name, setting))
    ]
    return 1.12 * max([0.01, *ends])


def dots(name: str, title: str, rows: Sequence[Row], limit: float) -> Markup:
    """Draws costs over the reference as dots with intervals; dots beyond `limit` become arrows."""

    def draw(figure: Canvas) -> None:
        axes = axes_in(figure, left=10, right=12, top=22, bottom=30)
        low = min([0.0, *(min(row.value.ci95 or [row.value.mean]) for row in rows if row.value)])
        axes.set(xlim=(low - 0.04 * limit, limit), ylim=(len(rows) - 0.65, -0.55), yticks=[])
        axes.axvline(0, color=FAINT, linewidth=1.5)
        for y, row in enumerate(rows):
            _dot(axes, y, row, limit)
        percent_axis(axes)

    return svg(name, title, 290, 52 + 42 * len(rows), draw)


def _dot(axes: Axes, y: float, row: Row, limit: float) -> None:
    above = {"xycoords": ("axes fraction", "data"), "xytext": (0, 11), "textcoords": "offset points"}
    # The text has a background in the page's colour, which hides the grid.
    above["bbox"] = {"facecolor": CARD, "edgecolor": "none", "pad": 1.5}
    axes.annotate(row.title, (0, y), color=INK, **above)
    axes.annotate(row.label, (1, y), color=row.colour, weight="bold", ha="right", **above)
    axes.plot([axes.get_xlim()[0], limit], [y, y], color=LINE, linewidth=1, zorder=1)
    if row.value is None or row.value.mean > limit:
        axes.plot([0, limit], [y, y], color=row.colour, linewidth=1.2, dashes=(1, 3))
        axes.plot([limit], [y], ">", color=row.colour, markersize=7, clip_on=False)
        return
    if row.value.has_interval:
        high = min(row.value.high, limit)
        axes.plot([row.value.low, high], [y, y], color=row.colour, linewidth=3.2, alpha=0.45, zorder=2)
    axes.plot([row.value.mean], [y], "o", color=row.colour, markersize=8, markeredgecolor=CARD, zorder=3)
