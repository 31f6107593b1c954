"""Figures as inline SVG, with the colours and the font of the page.

Figures are drawn in a fixed palette, whose colours are then replaced by the page's CSS variables. One drawing
is thus used in the light theme, in the dark theme, and in print. Its unit is one CSS pixel.
"""

import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from simdistill.report.formats import trimmed

INK, MUTED, LINE, CARD, ACCENT, FAINT = "#1b1f24", "#5d6673", "#dfe3e8", "#fefefe", "#8e2a5b", "#b4bcc6"
# Okabe and Ito's colours, which colour-blind readers can tell apart.
CHOICE_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
VARIABLES = {INK: "ink", MUTED: "muted", LINE: "line", CARD: "card", ACCENT: "accent", FAINT: "faint"} | {
    colour: f"choice-{place}" for place, colour in enumerate(CHOICE_COLOURS)
}
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


def svg(name: str, title: str, width: float, height: float, draw: Callable[[Figure], None]) -> Markup:
    """Draws a figure of `width` x `height` pixels and returns it as an `<svg>` element.

    Args:
        name: Prefix of the ids within the element, unique on the page.
        title: Text for screen readers.
        draw: Function that draws on an empty figure.
    """
    text = io.StringIO()
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width / 72, height / 72), dpi=72, facecolor="none")
        draw(figure)
        for axes in figure.axes:
            axes.set_facecolor("none")
        FigureCanvasSVG(figure).print_svg(text, metadata={"Date": None, "Creator": None})
    return _inline(text.getvalue(), name, title, width, height)


def colours_of(labels: Sequence[str]) -> dict[str, str]:
    """Returns label -> colour."""
    return {label: CHOICE_COLOURS[place % len(CHOICE_COLOURS)] for place, label in enumerate(labels)}


def css(colours: dict[str, str]) -> dict[str, str]:
    """Returns label -> CSS variable of its colour."""
    return {label: f"var(--{VARIABLES[colour]})" for label, colour in colours.items()}


def axes_in(figure: Figure, left: float, right: float, top: float, bottom: float) -> Axes:
    """Adds axes with margins in pixels to a figure."""
    width, height = 72 * figure.get_figwidth(), 72 * figure.get_figheight()
    return figure.add_axes(
        (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    )


def percent_axis(axes: Axes) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{trimmed(100 * value)}%"))
    axes.grid(axis="y", visible=False)


def _inline(text: str, name: str, title: str, width: float, height: float) -> Markup:
    """Turns a drawing's SVG text into a part of the page: without header, with unique ids and CSS colours."""
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
