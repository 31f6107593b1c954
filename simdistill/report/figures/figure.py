"""What a figure is, and all that are installed, in their order."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from markupsafe import Markup

from simdistill import registry
from simdistill.report.record import Record
from simdistill.report.templates import templates


@dataclass(frozen=True)
class Shown:
    """What the page shows of a figure.

    Attributes:
        title: Heading of its section; empty where it belongs to the section above.
        markup: HTML with inline SVG.
        caption: What a reader should know before looking, as text.
    """

    title: str
    markup: Markup
    caption: str = ""


class Figure:
    """A part of the page that is drawn from a record.

    Attributes:
        order: The page shows figures with a smaller number first; those of the package have 10 to 60.
    """

    order: ClassVar[int] = 100

    def __call__(self, record: Record) -> Shown | None:
        """Returns what to show of a record; None if there is nothing."""
        raise NotImplementedError


def shown(record: Record) -> dict[str, Shown]:
    """Returns all that the installed figures show of a record, by their names, in their order."""
    figures = {name: registry.load("figures", name) for name in registry.names("figures")}
    ordered = sorted(figures, key=lambda name: (figures[name].order, name))
    found = {name: figures[name]()(record) for name in ordered}
    return {name: one for name, one in found.items() if one is not None}


def rendered(template: str, **values: Any) -> Markup:
    """Returns one of the page's parts as markup.

    Args:
        template: Name of a file of the report or of its figures.
        values: What it shows.
    """
    return Markup(templates(Path(__file__).parent).get_template(template).render(**values))
