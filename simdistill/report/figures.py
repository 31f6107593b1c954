"""Figures as inline SVG that takes its colours and its font from the page around it.

Figures are drawn in a fixed palette whose members are then replaced by the page's CSS variables, so that one
drawing serves light, dark and paper. One unit of the drawing is one CSS pixel.
"""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from simdistill.report.formats import trimmed
from simdistill.statistics import Estimate

INK, MUTED, LINE, CARD, ACCENT, FAINT = "#1b1f24", "#5d6673", "#dfe3e8", "#fefefe", "#8e2a5b", "#b4bcc6"
# Okabe and Ito's colours, told apart by colour-blind readers.
CHOICE_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
VARIABLES = {INK: "ink", MUTED: "muted", LINE: "line", CARD: "card", ACCENT: "accent", FAINT: "faint"} | {
    colour: f"choice-{place}" for place, colour in enumerate(CHOICE_COLOURS)
}
# Shares of time that the most visited states hold together, and how strongly their cells are drawn.
BANDS = ((0.9, 1.0), (0.99, 0.62), (1.0, 0.24))
LARGEST_MAP = 30
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "simdistill",
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "font.size": 12,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 11.5,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "grid.color": LINE,
    "grid.linewidth": 1,
    "axes.axisbelow": True,
    "lines.linewidth": 1.8,
}


@dataclass(frozen=True)
class Row:
    """One line of a dot plot.

    Attributes:
        title: What stands above the line.
        value: Where the dot goes; None where there is no such number.
        label: What stands at the right; says why where there is no number.
        colour: The dot's colour.
    """

    title: str
    value: Estimate | None
    label: str
    colour: str


def svg(name: str, title: str, width: float, height: float, draw: Callable[[Figure], None]) -> Markup:
    """Draws a figure of `width` x `height` pixels and returns it as an `<svg>` element.

    Args:
        name: Prefix of the ids inside, unique on the page.
        title: What a screen reader says.
        draw: Draws on the empty figure that it's given.
    """
    text = io.StringIO()
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width / 72, height / 72), dpi=72, facecolor="none")
        draw(figure)
        for axes in figure.axes:
            axes.set_facecolor("none")
        FigureCanvasSVG(figure).print_svg(text, metadata={"Date": None, "Creator": None})
    return _inline(text.getvalue(), name, title, width, height)


def dots(name: str, title: str, rows: Sequence[Row], limit: float) -> Markup:
    """Dot plot of fractions over the reference, with intervals; dots beyond `limit` become arrows."""

    def draw(figure: Figure) -> None:
        axes = _axes(figure, left=10, right=12, top=22, bottom=30)
        low = min([0.0, *(min(row.value.ci95 or [row.value.mean]) for row in rows if row.value)])
        axes.set(xlim=(low - 0.04 * limit, limit), ylim=(len(rows) - 0.65, -0.55), yticks=[])
        axes.axvline(0, color=FAINT, linewidth=1.5)
        for y, row in enumerate(rows):
            _dot(axes, y, row, limit)
        _percent_axis(axes)

    return svg(name, title, 290, 52 + 42 * len(rows), draw)


def dumbbells(
    name: str,
    title: str,
    labels: Sequence[str],
    series: Mapping[str, Sequence[float | None]],
    limit: float,
) -> Markup:
    """One line for each parameter set: what each policy costs over the reference, joined.

    Args:
        labels: The sets, top to bottom.
        series: Colour to fractions over the reference, one a set; None where queues grow.
        limit: Right end of the axis.
    """
    known = [value for values in series.values() for value in values if value is not None]

    def draw(figure: Figure) -> None:
        axes = _axes(figure, left=150, right=14, top=8, bottom=30)
        axes.set(xlim=(min([0.0, *known]) - 0.03 * limit, limit), ylim=(len(labels) - 0.5, -0.5))
        axes.set_yticks(range(len(labels)), list(labels))
        axes.tick_params(axis="y", labelcolor=INK)
        axes.axvline(0, color=FAINT, linewidth=1.5)
        for y, values in enumerate(zip(*series.values(), strict=True)):
            _dumbbell(axes, y, values, tuple(series), limit)
        _percent_axis(axes)

    return svg(name, title, 450, 38 + 28 * len(labels), draw)


def curves(
    name: str,
    title: str,
    lines: Mapping[str, tuple[str, Sequence[float], Sequence[float]]],
    rounds: Sequence[float],
    *,
    logarithmic: bool = False,
    as_percent: bool = False,
    smooth: bool = False,
) -> Markup:
    """Learning curves against the questions seen.

    Args:
        lines: Label to colour, questions seen and values.
        rounds: Questions seen where a new round began.
        logarithmic: Whether the values span orders of magnitude; values of zero are left out.
        as_percent: Whether values are shares.
        smooth: Whether to draw the values faintly and their moving average strongly.
    """

    def draw(figure: Figure) -> None:
        axes = _axes(figure, left=48, right=10, top=12 if len(lines) == 1 else 28, bottom=42)
        for place, (label, (colour, x, y)) in enumerate(lines.items()):
            _curve(axes, colour, x, y, logarithmic=logarithmic, smooth=smooth)
            if len(lines) > 1:
                at = place / len(lines)
                axes.text(at, 1.05, label, color=colour, weight="bold", size=11, transform=axes.transAxes)
        for start in rounds:
            axes.axvline(start, color=MUTED, linewidth=1, dashes=(3, 3))
        _value_axis(axes, logarithmic=logarithmic, as_percent=as_percent)
        axes.grid(axis="x", visible=False)
        axes.set_xlabel("questions seen")
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))

    return svg(name, title, 290, 220, draw)


def decision_map(
    name: str,
    title: str,
    choice_XY: Sequence[Sequence[str | None]],
    reference_XY: Sequence[Sequence[str | None]] | None,
    probability_XY: Sequence[Sequence[float]] | None,
    colours: Mapping[str, str],
    axis_titles: tuple[str, str],
) -> Markup:
    """What a policy chooses in every state of two numbers (X across, Y up).

    Args:
        choice_XY: The choice; None where there is nothing to choose.
        reference_XY: States with another choice than here get a dot.
        probability_XY: Share of time; rarely visited states are drawn faintly.
        colours: Colour of each choice.
    """
    columns = min(len(choice_XY), LARGEST_MAP)
    rows = min(len(choice_XY[0]), LARGEST_MAP)
    width = 420
    cell = (width - 56) / columns
    height = min(max(cell * rows, 110), 380)

    def draw(figure: Figure) -> None:
        axes = _axes(figure, left=44, right=12, top=6, bottom=42)
        axes.set(xlim=(-0.5, columns - 0.5), ylim=(-0.5, rows - 0.5))
        axes.set(xlabel=axis_titles[0], ylabel=axis_titles[1])
        axes.grid(visible=False)
        axes.spines["bottom"].set_visible(False)
        states = [(x, y) for x in range(columns) for y in range(rows) if choice_XY[x][y] is not None]
        for (colour, strength), cells in _layers(states, choice_XY, probability_XY, colours).items():
            axes.add_patch(PathPatch(_cells(cells), facecolor=colour, alpha=strength, linewidth=0))
        other = [(x, y) for x, y in states if reference_XY and choice_XY[x][y] != reference_XY[x][y]]
        if other:
            size = max(2.4, min(6.5, 0.42 * min(cell, height / rows)))
            x, y = zip(*other, strict=True)
            axes.plot(x, y, "o", color=INK, markeredgecolor=CARD, markeredgewidth=0.9, markersize=size)
        for axis, length in ((axes.xaxis, columns), (axes.yaxis, rows)):
            axis.set_major_locator(MaxNLocator(min(5, length), integer=True))
        axes.set(xlim=(-0.5, columns - 0.5), ylim=(-0.5, rows - 0.5))

    return svg(name, title, width, height + 48, draw)


def reliability(name: str, title: str, points: Sequence[Mapping[str, float]]) -> Markup:
    """Reliability diagram: what happened against what was said; a perfect forecaster is on the diagonal.

    Args:
        name: Prefix of the ids inside, unique on the page.
        title: What a screen reader says.
        points: `said`, `happened` and `count` of each class; a dot's area is its count.
    """

    def draw(figure: Figure) -> None:
        axes = _axes(figure, left=46, right=14, top=12, bottom=40)
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="probability said", ylabel="share of simulated futures")
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1.5)
        said, happened, count = (np.array([p[key] for p in points]) for key in ("said", "happened", "count"))
        axes.plot(said, happened, color=ACCENT, linewidth=1)
        axes.scatter(said, happened, s=20 + 180 * count / count.max(), color=ACCENT, zorder=3, clip_on=False)
        percent = FuncFormatter(lambda value, _: f"{100 * value:.0f}%")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(percent)
            axis.set_ticks([0, 0.25, 0.5, 0.75, 1])

    return svg(name, title, 330, 300, draw)


def queue_lengths(
    name: str,
    title: str,
    time_T: Sequence[float],
    lengths: Mapping[str, Sequence[float]],
    colours: Mapping[str, str],
    highest: float,
    axis_title: str,
) -> Markup:
    """Numbers over time stacked on each other, so that the outline is their sum.

    Args:
        time_T: Times in the simulator's unit.
        lengths: Series name to values, one a time; each holds until the next time.
        colours: Colour of each series.
        highest: Upper end of the axis, the same for all policies.
    """

    def draw(figure: Figure) -> None:
        axes = _axes(figure, left=44, right=10, top=8, bottom=42 if axis_title else 24)
        base_T = np.zeros(len(time_T))
        for series, values in lengths.items():
            top_T = base_T + np.asarray(values, dtype=float)
            axes.fill_between(
                np.asarray(time_T), base_T, top_T, step="post", color=colours[series], linewidth=0, alpha=0.85
            )
            base_T = top_T
        axes.step(time_T, base_T, where="post", color=INK, linewidth=0.7)
        axes.set(xlim=(time_T[0], time_T[-1]), ylim=(0, 1.04 * highest))
        axes.set_xlabel(axis_title)
        axes.grid(axis="x", visible=False)
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))

    return svg(name, title, 870, 150 if axis_title else 132, draw)


def bands(probability_XY: Sequence[Sequence[float]]) -> np.ndarray:
    """Index into `BANDS` of every state: 0 for the fewest states that hold its share of the time together."""
    share_XY = np.asarray(probability_XY, dtype=float)
    flat = share_XY.ravel() / share_XY.sum()
    order = np.argsort(-flat, kind="stable")
    before = np.cumsum(flat[order]) - flat[order]
    band = np.empty(len(flat), dtype=int)
    band[order] = np.searchsorted([limit for limit, _ in BANDS[:-1]], before, side="right")
    return band.reshape(share_XY.shape)


def _layers(
    states: Sequence[tuple[int, int]],
    choice_XY: Sequence[Sequence[str | None]],
    probability_XY: Sequence[Sequence[float]] | None,
    colours: Mapping[str, str],
) -> dict[tuple[str, float], list[tuple[int, int]]]:
    band_XY = bands(probability_XY) if probability_XY is not None else None
    layers: dict[tuple[str, float], list[tuple[int, int]]] = {}
    for x, y in states:
        strength = BANDS[band_XY[x, y]][1] if band_XY is not None else 1.0
        layers.setdefault((colours[str(choice_XY[x][y])], strength), []).append((x, y))
    return layers


def _cells(cells: Sequence[tuple[int, int]], inset: float = 0.46) -> Outline:
    corners = ((-inset, -inset), (inset, -inset), (inset, inset), (-inset, inset), (-inset, -inset))
    vertices = [(x + dx, y + dy) for x, y in cells for dx, dy in corners]
    codes = [Outline.MOVETO, Outline.LINETO, Outline.LINETO, Outline.LINETO, Outline.CLOSEPOLY] * len(cells)
    return Outline(vertices, codes)


def _dot(axes: Axes, y: float, row: Row, limit: float) -> None:
    above = {"xycoords": ("axes fraction", "data"), "xytext": (0, 11), "textcoords": "offset points"}
    # The words stand on a piece of card that hides the grid behind them.
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


def _dumbbell(
    axes: Axes, y: float, values: Sequence[float | None], colours: Sequence[str], limit: float
) -> None:
    known = [limit if value is None else value for value in values]
    axes.plot([min(known), max(known)], [y, y], color=FAINT, linewidth=2.2, zorder=1)
    for value, colour in zip(values, colours, strict=True):
        if value is None:
            axes.plot([limit], [y], ">", color=colour, markersize=7, clip_on=False)
        else:
            axes.plot([value], [y], "o", color=colour, markersize=8.5, markeredgecolor=CARD, zorder=3)
    axes.grid(axis="y", visible=False)


def _curve(
    axes: Axes, colour: str, x: Sequence[float], y: Sequence[float], *, logarithmic: bool, smooth: bool
) -> None:
    x_N, y_N = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if logarithmic:
        x_N, y_N = x_N[y_N > 0], y_N[y_N > 0]
    if not smooth or len(y_N) < 20:
        axes.plot(x_N, y_N, color=colour, marker="o", markersize=4)
        return
    axes.plot(x_N, y_N, color=colour, linewidth=0.8, alpha=0.3)
    width = max(3, len(y_N) // 25)
    average = np.convolve(y_N, np.full(width, 1 / width), mode="valid")
    axes.plot(x_N[width - 1 :], average, color=colour)


def _axes(figure: Figure, left: float, right: float, top: float, bottom: float) -> Axes:
    """Axes with margins in pixels."""
    width, height = 72 * figure.get_figwidth(), 72 * figure.get_figheight()
    return figure.add_axes(
        (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    )


def _percent_axis(axes: Axes) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{trimmed(100 * value)}%"))
    axes.grid(axis="y", visible=False)


def _value_axis(axes: Axes, *, logarithmic: bool, as_percent: bool) -> None:
    if logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.yaxis.set_major_locator(MaxNLocator(4))
    if not logarithmic and not as_percent:
        axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{trimmed(100 * value)}%" if as_percent else f"{value:g}")
    )


def _inline(text: str, name: str, title: str, width: float, height: float) -> Markup:
    """Makes a drawing part of the page: no header, no clashing ids, the page's font and colours."""
    body = text[text.index("<svg") : text.rindex("</svg>")]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body[body.index(">") + 1 :])
    body = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", body)
    body = re.sub(r" font-family: [^;\"]*;?", "", body)
    body = re.sub(r'(?<= d=")[^"]*', lambda path: re.sub(r"(?<=\.\d\d)\d+", "", path[0]), body)
    body = re.sub(r"\s*\n\s*", " ", body)
    for colour, variable in VARIABLES.items():
        body = body.replace(colour, f"var(--{variable})")
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(title)}" '
        f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}">'
    )
    return Markup(f"{opening}{body}</svg>")
