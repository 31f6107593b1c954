"""Parameter sets: the student's and the heuristic's cost over the reference with each drawn set."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from simdistill.report import formats
from simdistill.report.figures.figure import Figure, Shown, rendered
from simdistill.report.record import TITLES, Record
from simdistill.report.svg import ACCENT, CARD, FAINT, INK, MUTED, axes_in, percent_axis, svg


class Sets(Figure):
    """Cost over the reference by parameter set."""

    order = 60

    def __call__(self, record: Record) -> Shown | None:
        limit = _limit(record)
        found = record.examination.get("sets") or {}
        groups = [_group(record, setting, entries, limit) for setting, entries in found.items() if entries]
        if not groups:
            return None
        markup = rendered(
            "sets.html.j2", groups=groups, heuristic=record.title(record.heuristic), record=record
        )
        caption = "Each line is a set of parameters drawn for the examination, in words for the student."
        return Shown("Other parameters", markup, caption)


def _group(record: Record, setting: str, entries: Sequence[Mapping], limit: float) -> dict[str, Any]:
    """Returns the drawing and the table of one setting's parameter sets."""
    names = [name for name in ("student", record.heuristic) if name in entries[0]["cost"]]
    over = {name: [_over(entry["cost"], name, record.reference) for entry in entries] for name in names}
    colours = dict(zip(names, (ACCENT, MUTED), strict=False))
    title = TITLES.get(setting, formats.words(setting).capitalize())
    return {
        "title": title,
        "headings": formats.parameter_headings(entries[0]["parameters"]),
        "policies": [record.title(name) for name in entries[0]["cost"]],
        "rows": [
            {
                "parameters": formats.parameters(entry["parameters"]),
                "costs": [
                    formats.number(value) if value is not None else "unstable"
                    for value in entry["cost"].values()
                ],
            }
            for entry in entries
        ],
        "figure": dumbbells(
            record.id(f"sets-{setting}"),
            f"Cost over {record.reference_words} by parameter set, {title.lower()}",
            [formats.parameter_values(entry["parameters"]) for entry in entries],
            {colours[name]: over[name] for name in names},
            limit,
        ),
        "better": _better(over, record.heuristic),
        "of": len(entries),
    }


def _limit(record: Record) -> float:
    """Returns the right end of the axis, which is the same for all groups of parameter sets."""
    known = [
        over
        for entries in (record.examination.get("sets") or {}).values()
        for entry in entries
        for name in ("student", record.heuristic)
        if (over := _over(entry["cost"], name, record.reference)) is not None
    ]
    return 1.12 * max([0.01, *known])


def _over(cost: Mapping[str, float | None], name: str, reference: str) -> float | None:
    own, best = cost.get(name), cost.get(reference)
    return (own - best) / abs(best) if own is not None and best else None


def _better(over: Mapping[str, Sequence[float | None]], heuristic: str) -> int | None:
    """Returns the number of sets in which the student costs less than the heuristic.

    A policy whose queues grow has an infinite cost.
    """
    if heuristic not in over or "student" not in over:
        return None
    endless = float("inf")
    return sum(
        (endless if own is None else own) < (endless if other is None else other)
        for own, other in zip(over["student"], over[heuristic], strict=True)
    )


def dumbbells(
    name: str,
    title: str,
    labels: Sequence[str],
    series: Mapping[str, Sequence[float | None]],
    limit: float,
) -> Markup:
    """Draws the policies' costs over the reference: one line for each parameter set, a dot for each policy.

    Args:
        name: Prefix of the ids within the element, unique on the page.
        title: Text for screen readers.
        labels: Labels of the sets, from top to bottom.
        series: A policy's colour -> its cost over the reference with each set; None where queues grow.
        limit: Right end of the axis.
    """
    known = [value for values in series.values() for value in values if value is not None]

    def draw(figure: Canvas) -> None:
        axes = axes_in(figure, left=150, right=14, top=8, bottom=30)
        axes.set(xlim=(min([0.0, *known]) - 0.03 * limit, limit), ylim=(len(labels) - 0.5, -0.5))
        axes.set_yticks(range(len(labels)), list(labels))
        axes.tick_params(axis="y", labelcolor=INK)
        axes.axvline(0, color=FAINT, linewidth=1.5)
        for y, values in enumerate(zip(*series.values(), strict=True)):
            _dumbbell(axes, y, values, tuple(series), limit)
        percent_axis(axes)

    return svg(name, title, 450, 38 + 28 * len(labels), draw)


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
