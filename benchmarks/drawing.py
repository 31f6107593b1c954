"""Drawings of the documentation's figures: dots in rows, and curves, readable on light and on dark pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.ticker import LogLocator, NullLocator

FOLDER = Path(__file__).parents[1] / "docs" / "figures"
COLOURS = ("#3b8bc4", "#e07b39", "#4aa564", "#b56fc0", "#b8952a", "#d0556b")
"""Colours of middle lightness, which are readable on white and on black."""
WIDTH = 34
"""Characters in a line of a row's label."""
GREY = "#848b94"
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "simdistill",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": GREY,
    "axes.labelcolor": GREY,
    "axes.edgecolor": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "legend.frameon": False,
}


@dataclass(frozen=True)
class Point:
    """A value with its 95% interval, where there is one."""

    value: float
    interval: tuple[float, float] | None = None


Rows = Mapping[str, Mapping[str, Sequence[Point]]]
"""Label of a row -> name of a series -> the row's points."""


def dots(
    name: str, rows: Rows, label: str, *, log: bool = False, percent: bool = False, line: float | None = None
) -> None:
    """Draws one line of dots for each row, with a colour for each series."""
    series = list(dict.fromkeys(each for row in rows.values() for each in row))
    figure, axes = plt.subplots(figsize=(7.2, 0.9 + 0.2 * len(rows) * max(1.6, len(series))))
    for place, row in enumerate(rows.values()):
        for number, each in enumerate(series):
            y = place + (number - (len(series) - 1) / 2) * 0.7 / len(series)
            for point in row.get(each, ()):
                if point.interval and point.interval[0] != point.interval[1]:
                    axes.plot(point.interval, (y, y), color=COLOURS[number], linewidth=1.2)
                axes.plot(point.value, y, "o", color=COLOURS[number], markersize=4.5)
    if line is not None:
        axes.axvline(line, color=GREY, linewidth=0.8, linestyle=":")
    for number, each in enumerate(series):
        axes.plot([], [], "o", color=COLOURS[number], label=each)
    axes.set_yticks(range(len(rows)), [fill(row, WIDTH) for row in rows])
    axes.invert_yaxis()
    _finish(figure, axes, name, len(series) > 1, label, log, percent)


def curves(
    name: str,
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    x: str,
    y: str,
    *,
    log: bool = False,
) -> None:
    """Draws one curve for each entry of `lines`."""
    figure, axes = plt.subplots(figsize=(7.2, 3.6))
    for number, (label, (xs, ys)) in enumerate(lines.items()):
        axes.plot(
            xs, ys, "o-", color=COLOURS[number % len(COLOURS)], markersize=4, linewidth=1.4, label=label
        )
    axes.set_ylabel(y)
    axes.set_ylim(bottom=0)
    _finish(figure, axes, name, len(lines) > 1, x, log, False)


def _finish(figure: Any, axes: Any, name: str, legend: bool, label: str, log: bool, percent: bool) -> None:
    if log:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_locator(NullLocator())
    if percent:
        axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:g}%")
    axes.set_xlabel(label)
    axes.grid(axis="x", color=GREY, alpha=0.25, linewidth=0.6)
    if legend:
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    FOLDER.mkdir(exist_ok=True)
    figure.savefig(FOLDER / f"{name}.svg", bbox_inches="tight", transparent=True, metadata={"Date": None})
    plt.close(figure)
