"""Learning curves: training losses and validation measures against the questions seen. Axes: N points."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from simdistill.report.figures.figure import Figure, Shown, rendered
from simdistill.report.formats import trimmed
from simdistill.report.record import Record
from simdistill.report.svg import ACCENT, CHOICE_COLOURS, MUTED, axes_in, svg

TERMS = {"imitation": CHOICE_COLOURS[0], "regret": ACCENT, "validity": CHOICE_COLOURS[1]}
"""Term of a loss -> colour."""
ROUNDS = "A dashed line is where a new round began, on states that the student itself had led to. "
FLOOR = (
    "The imitation term can't reach zero: the teacher's own answers are uncertain where choices are nearly "
    "equal. "
)

Line = tuple[str, Sequence[float], Sequence[float]]
"""Colour, number of questions seen at each point, value at each point."""


class Learning(Figure):
    """The course of the losses and the validation measures in training."""

    order = 20

    def __call__(self, record: Record) -> Shown | None:
        steps = [row for row in record.history if "loss" in row]
        validated = [row for row in record.history if "validation_regret" in row]
        if not steps:
            return None
        rounds = round_starts(steps)
        plots = [_losses(record, steps, rounds), *_validation(record, validated, rounds)]
        soft = bool((record.config.get("distill") or {}).get("soft"))
        last = validated[-1] if validated else None
        caption = (ROUNDS if rounds else "") + (FLOOR if soft else "")
        return Shown("How it learned", rendered("learning.html.j2", plots=plots, last=last), caption)


def round_starts(steps: Sequence[Mapping[str, Any]]) -> list[float]:
    """Returns the number of questions seen at the beginning of each later round."""
    return [
        before["questions"] for before, after in pairwise(steps) if before.get("round") != after.get("round")
    ]


def _losses(
    record: Record, steps: Sequence[Mapping[str, Any]], rounds: Sequence[float]
) -> tuple[str, Markup]:
    """Returns the title and the drawing of the training loss, by term if there are terms."""
    x = [row["questions"] for row in steps]
    lines: dict[str, Line] = {
        term: (colour, x, [row[term] for row in steps])
        for term, colour in TERMS.items()
        if all(row.get(term) is not None for row in steps)
    } or {"loss": (ACCENT, x, [row["loss"] for row in steps])}
    title = "Training loss, " + ("by term" if len(lines) > 1 else "all terms")
    name = record.id("loss")
    return title, curves(name, "Training loss by term", lines, rounds, logarithmic=True, smooth=True)


def _validation(
    record: Record, validated: Sequence[Mapping[str, Any]], rounds: Sequence[float]
) -> list[tuple[str, Markup]]:
    """Returns the titles and the drawings of the measures on validation questions."""
    plots = []
    for key, title, as_percent in (
        ("validation_regret", "Regret on the validation questions", False),
        ("validation_agreement", "Agreement with the teacher", True),
    ):
        points = [row for row in validated if row.get(key) is not None]
        if points:
            line = {key: (ACCENT, [row["questions"] for row in points], [row[key] for row in points])}
            plots.append((title, curves(record.id(key), title, line, rounds, as_percent=as_percent)))
    return plots


def curves(
    name: str,
    title: str,
    lines: Mapping[str, Line],
    rounds: Sequence[float],
    *,
    logarithmic: bool = False,
    as_percent: bool = False,
    smooth: bool = False,
) -> Markup:
    """Draws learning curves against the number of questions seen.

    Args:
        name: Prefix of the ids within the element, unique on the page.
        title: Text for screen readers.
        lines: Label -> line.
        rounds: Number of questions seen at the beginning of each later round.
        logarithmic: Whether the axis is logarithmic; values of zero are then left out.
        as_percent: Whether values are shares, written as percent.
        smooth: Whether to draw the values faintly and their moving average strongly.
    """

    def draw(figure: Canvas) -> None:
        axes = axes_in(figure, left=48, right=10, top=12 if len(lines) == 1 else 28, bottom=42)
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
