"""The base class of figures, and the drawing of all installed figures in their order."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from markupsafe import Markup

from simdistill import registry
from simdistill.report.record import Record
from simdistill.report.templates import templates


@dataclass(frozen=True)
class Shown:
    """A drawn figure, as the page shows it.

    Attributes:
        title: Heading of the figure's section; empty if the figure belongs to the section above.
        markup: HTML with inline SVG.
        caption: Explanatory text for the reader.
    """

    title: str
    markup: Markup
    caption: str = ""


class Figure:
    """A part of the page that is drawn from a record.

    Attributes:
        order: Position on the page: smaller numbers come first. The package's figures have 10 to 60.
    """

    order: ClassVar[int] = 100

    def __call__(self, record: Record) -> Shown | None:
        """Returns the figure of a record; None if there is nothing to show."""
        raise NotImplementedError


def shown(record: Record) -> dict[str, Shown]:
    """Returns name -> drawn figure of all installed figures that have something to show, in their order."""
    figures = {name: registry.load("figures", name) for name in registry.names("figures")}
    ordered = sorted(figures, key=lambda name: (figures[name].order, name))
    found = {name: figures[name]()(record) for name in ordered}
    return {name: one for name, one in found.items() if one is not None}


def rendered(template: str, **values: Any) -> Markup:
    """Returns one of the page's parts as markup.

    Args:
        template: File name of a template of the report or of its figures.
        values: The values that the template shows.
    """
    return Markup(templates(Path(__file__).parent).get_template(template).render(**values))
