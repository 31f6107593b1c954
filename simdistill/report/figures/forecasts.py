"""Reliability of the student's forecasts, with their skill and log scores."""

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter

from simdistill.report.figures.figure import Figure, Shown, rendered
from simdistill.report.record import Record
from simdistill.report.svg import ACCENT, FAINT, axes_in, svg


class Forecasts(Figure):
    """How well the student forecasts."""

    order = 30

    def __call__(self, record: Record) -> Shown | None:
        found, points = record.task.forecasts, record.examination.get("reliability")
        if not found or not points:
            return None
        markup = rendered(
            "forecasts.html.j2",
            scores=found.log_score,
            skill=record.task.measure("forecast_skill", "in_distribution"),
            questions=record.examination.get("forecasts") or [],
            figure=reliability(
                record.id("reliability"), "What happened against what the student forecast", points
            ),
        )
        caption = (
            f"The student was asked for outcomes, too, in {found.states} new states; the simulator's own "
            f"forecast is the share of {found.futures} futures of each."
        )
        return Shown("What it foresees", markup, caption)


def reliability(name: str, title: str, points: Sequence[Mapping[str, float]]) -> Markup:
    """Draws a reliability diagram: observed frequency against forecast probability.

    A perfectly calibrated forecaster is on the diagonal.

    Args:
        name: Prefix of the ids within the element, unique on the page.
        title: Text for screen readers.
        points: Forecast probability `said`, observed frequency `happened` and number of forecasts `count` of
            each class; the number determines the dot's area.
    """

    def draw(figure: Canvas) -> None:
        axes = axes_in(figure, left=60, right=14, top=12, bottom=40)
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="forecast probability", ylabel="share of simulated futures")
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1.5)
        said, happened, count = (np.array([p[key] for p in points]) for key in ("said", "happened", "count"))
        axes.plot(said, happened, color=ACCENT, linewidth=1)
        axes.scatter(said, happened, s=20 + 180 * count / count.max(), color=ACCENT, zorder=3, clip_on=False)
        percent = FuncFormatter(lambda value, _: f"{100 * value:.0f}%")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(percent)
            axis.set_ticks([0, 0.25, 0.5, 0.75, 1])

    return svg(name, title, 330, 300, draw)
