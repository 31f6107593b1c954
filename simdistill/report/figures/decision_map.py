"""Decision maps: what each policy chooses in every state of two numbers (X across, Y up)."""

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

# Shares of time that the most visited states hold together, and how strongly their cells are drawn.
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
    """Where maps end that are larger than can be drawn legibly; empty if none is."""
    largest = max(max(len(choice_XY), len(choice_XY[0])) for choice_XY in choices.values())
    return str(LARGEST_MAP - 1) if largest > LARGEST_MAP else ""


def _agreement(choice_XY: Sequence, best_XY: Sequence, time_XY: Sequence | None) -> float | None:
    """Share of the time spent in states where both choose alike; None without the shares of time."""
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
    """States where two maps differ, and states in all."""
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
    return Outline(np.array(vertices), codes)
