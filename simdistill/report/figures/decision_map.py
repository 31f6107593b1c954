"""Decision maps: each policy's choice in every state. Axes: X, Y the state's two numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from matplotlib.ticker import MaxNLocator

from simdistill.report import formats
from simdistill.report.figures.figure import Figure, Shown, rendered
from simdistill.report.record import Record
from simdistill.report.svg import CARD, INK, axes_in, colours_of, css, svg

# Cumulative share of time of the most visited states, and the opacity with which their cells are drawn.
BANDS = ((0.9, 1.0), (0.99, 0.62), (1.0, 0.24))
LARGEST_MAP = 30


class DecisionMap(Figure):
    """What the reference, the teacher, the student and the heuristic do in every state."""

    order = 40

    def __call__(self, record: Record) -> Shown | None:
        found = record.examination.get("decision_map")
        if not found or len(found.get("axes") or ()) != 2 or not found.get("policies"):
            return None
        choices = found["policies"]
        best = choices.get(record.reference)
        time = found.get("stationary")
        if time is None or not np.sum(time) > 0:
            time = None
        colours = colours_of(found["labels"])
        panels = [
            {
                "title": record.title(name),
                "agreement": _agreement(choice_XY, best, time) if best and name != record.reference else None,
                "figure": decision_map(
                    record.id(f"map-{name}"),
                    f"Decision map: {record.title(name)}",
                    choice_XY,
                    best,
                    time,
                    colours,
                    tuple(found["axes"]),
                ),
            }
            for name, choice_XY in choices.items()
        ]
        markup = rendered(
            "decision_map.html.j2",
            panels=panels,
            colours={label: c for label, c in css(colours).items() if _appears(label, choices)},
            parameters=found.get("parameters"),
            cut=_cut(choices),
            record=record,
        )
        return Shown("What it does in every state", markup, _caption(record, found, best, time))


def _caption(record: Record, found: Mapping[str, Any], best: Sequence | None, time: Sequence | None) -> str:
    student, owner = found["policies"].get("student"), found.get("stationary_policy")
    agreement = _agreement(student, best, time) if best and student else None
    differing = _differing(student, best)
    parts = []
    if agreement is not None:
        under = f" under the {record.title(owner).lower()}" if owner else ""
        parts.append(
            f"The student chooses as {record.reference_words} does in states that hold "
            f"{formats.share(agreement)} of the time{under}. "
        )
    if differing:
        parts.append(f"It differs in {formats.count(differing[0])} of {formats.count(differing[1])} states. ")
    if time is not None:
        parts.append("Strong cells hold 90% of the time, the next ones 9%, faint cells the last 1%. ")
    return "".join(parts)


def _appears(label: str, choices: Mapping[str, Sequence[Sequence[str | None]]]) -> bool:
    return any(label in column for choice_XY in choices.values() for column in choice_XY)


def _cut(choices: Mapping[str, Sequence[Sequence[str | None]]]) -> str:
    """Returns the largest number that is drawn if a map is too large to be legible; else empty."""
    largest = max(max(len(choice_XY), len(choice_XY[0])) for choice_XY in choices.values())
    return str(LARGEST_MAP - 1) if largest > LARGEST_MAP else ""


def _agreement(choice_XY: Sequence, best_XY: Sequence, time_XY: Sequence | None) -> float | None:
    """Returns the share of time in states where two policies agree; None if shares of time aren't known."""
    if time_XY is None:
        return None
    weight = [
        (time, choice == best)
        for columns in zip(choice_XY, best_XY, time_XY, strict=True)
        for choice, best, time in zip(*columns, strict=True)
        if choice is not None and best is not None
    ]
    total = sum(time for time, _ in weight)
    return 1 - sum(time for time, same in weight if not same) / total if total else None


def _differing(choice_XY: Sequence | None, best_XY: Sequence | None) -> tuple[int, int] | None:
    """Returns the number of states in which two maps differ, and the number of all states."""
    if not choice_XY or not best_XY:
        return None
    same = [
        choice == best
        for columns in zip(choice_XY, best_XY, strict=True)
        for choice, best in zip(*columns, strict=True)
        if choice is not None and best is not None
    ]
    return same.count(False), len(same)


def decision_map(
    name: str,
    title: str,
    choice_XY: Sequence[Sequence[str | None]],
    reference_XY: Sequence[Sequence[str | None]] | None,
    probability_XY: Sequence[Sequence[float]] | None,
    colours: Mapping[str, str],
    axis_titles: tuple[str, str],
) -> Markup:
    """Draws a policy's choice in every state; one of the state's numbers is on each axis.

    Args:
        name: Prefix of the ids within the element, unique on the page.
        title: Text for screen readers.
        choice_XY: The policy's choice; None where there is no decision.
        reference_XY: The reference's choice; states where the choices differ are marked with a dot.
        probability_XY: Share of time in each state; rarely visited states are drawn faintly.
        colours: Choice -> colour.
        axis_titles: Titles of the axes.
    """
    columns = min(len(choice_XY), LARGEST_MAP)
    rows = min(len(choice_XY[0]), LARGEST_MAP)
    width = 420
    cell = (width - 56) / columns
    height = min(max(cell * rows, 110), 380)

    def draw(figure: Canvas) -> None:
        axes = axes_in(figure, left=44, right=12, top=6, bottom=42)
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


def bands(probability_XY: Sequence[Sequence[float]]) -> np.ndarray:
    """Returns each state's index in `BANDS`; band 0 is the smallest set of states with its share of time."""
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
    return Outline(np.array(vertices), codes)
