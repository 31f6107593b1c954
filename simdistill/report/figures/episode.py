"""One episode under several policies: numbers of the state over time. Axes: T times."""

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from simdistill.report.figures.figure import Figure, Shown, rendered
from simdistill.report.record import Record
from simdistill.report.svg import INK, axes_in, colours_of, css, svg


class Episode(Figure):
    """The same episode under the student, the heuristic and the reference."""

    order = 50

    def __call__(self, record: Record) -> Shown | None:
        found = record.examination.get("episode")
        if not found or not found.get("policies") or len(found.get("times") or ()) < 2:
            return None
        time_T, quantity = found["times"], next(iter(next(iter(found["policies"].values()))))
        totals = {
            name: np.sum(list(series[quantity].values()), axis=0)
            for name, series in found["policies"].items()
        }
        highest = max(float(total_T.max()) for total_T in totals.values()) or 1.0
        colours = colours_of(list(next(iter(found["policies"].values()))[quantity]))
        last = list(totals)[-1]
        unit = f"{record.task_config.get('time_unit', 'minute')}s"
        rows = [
            {
                "title": record.title(name),
                "mean": _time_average(time_T, totals[name]),
                "figure": queue_lengths(
                    record.id(f"episode-{name}"),
                    f"{quantity} over time: {record.title(name)}",
                    time_T,
                    series[quantity],
                    colours,
                    highest,
                    unit if name == last else "",
                ),
            }
            for name, series in found["policies"].items()
        ]
        markup = rendered(
            "episode.html.j2",
            rows=rows,
            colours=css(colours),
            quantity=quantity,
            parameters=found.get("parameters"),
        )
        caption = (
            f"The same random numbers for each; only the decisions differ. Heights add up to all {quantity}."
        )
        return Shown("One episode", markup, caption)


def _time_average(time_T: Sequence[float], value_T: np.ndarray) -> float:
    return float(np.dot(value_T[:-1], np.diff(time_T)) / (time_T[-1] - time_T[0]))


def queue_lengths(
    name: str,
    title: str,
    time_T: Sequence[float],
    lengths: Mapping[str, Sequence[float]],
    colours: Mapping[str, str],
    highest: float,
    axis_title: str,
) -> Markup:
    """Draws several series over time stacked on each other, so that the outline is their sum.

    Args:
        name: Prefix of the ids within the element, unique on the page.
        title: Text for screen readers.
        time_T: Times in the simulator's unit.
        lengths: Name of a series -> its value at each time, which holds until the next time.
        colours: Name of a series -> colour.
        highest: Upper end of the vertical axis, the same for all policies.
        axis_title: Title of the time axis; empty for none.
    """

    def draw(figure: Canvas) -> None:
        axes = axes_in(figure, left=44, right=10, top=8, bottom=42 if axis_title else 24)
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
