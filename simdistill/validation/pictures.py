"""A picture of each figure: its difference against the margin, and the replications of both sides."""

import math

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from simdistill.report.formats import trimmed
from simdistill.report.svg import ACCENT, CHOICE_COLOURS, FAINT, INK, MUTED, axes_in, svg
from simdistill.validation.comparison import Comparison, Verdict

WIDTH, HEIGHT = 460, 210
ORIGINAL, MODEL, WITHIN = MUTED, CHOICE_COLOURS[0], CHOICE_COLOURS[2]


def picture(number: int, one: Comparison) -> Markup | None:
    """Returns the picture of a figure; None where too few replications have a value.

    Args:
        number: Of the figure on the page.
        one: The figure.
    """
    if math.isnan(one.low):
        return None

    def draw(figure: Figure) -> None:
        _difference(axes_in(figure, 60, 14, 8, 138), one)
        _replications(axes_in(figure, 60, 14, 112, 24), one)

    title = f"{one.name}: {one.verdict}; difference and interval, and the replications of both"
    return svg(f"figure-{number}", title, WIDTH, HEIGHT, draw)


def _difference(axes: Axes, one: Comparison) -> None:
    """Draws the interval of the difference over a band as wide as the margin."""
    share = abs(one.original.mean) if one.relative is not None else 1.0
    margin, low, high, middle = (value / share for value in (one.margin, one.low, one.high, one.difference))
    axes.axvspan(-margin, margin, color=WITHIN, alpha=0.18, linewidth=0)
    axes.axvline(0, color=FAINT, linewidth=1.5)
    colour = ACCENT if one.verdict is Verdict.DIFFERENT else INK
    axes.plot([low, high], [0, 0], color=colour, linewidth=2.5, solid_capstyle="butt")
    axes.plot([middle], [0], "o", color=colour, markersize=7)
    widest = 1.15 * max(margin, abs(low), abs(high)) or 1.0
    axes.set(xlim=(-widest, widest), ylim=(-1, 1))
    axes.set_yticks([0], ["difference"])
    axes.grid(visible=False)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    if one.relative is not None:
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{trimmed(100 * value)}%"))


def _replications(axes: Axes, one: Comparison) -> None:
    """Draws each replication as a dot, and the means as lines."""
    for place, sample, colour in ((1, one.original, ORIGINAL), (0, one.model, MODEL)):
        # Dots are moved up and down so that they don't hide each other, in the same way on every page.
        moved = 0.5 * (np.arange(sample.count) * 0.6180339887 % 1.0) - 0.25
        axes.plot(
            sample.values_R, place + moved, "o", color=colour, markersize=4, alpha=0.55, markeredgewidth=0
        )
        axes.plot([sample.mean, sample.mean], [place - 0.4, place + 0.4], color=colour, linewidth=2.5)
    axes.set_ylim(-0.6, 1.6)
    axes.set_yticks([1, 0], ["original", "model"])
    axes.grid(axis="y", visible=False)
    axes.xaxis.set_major_locator(MaxNLocator(5))
