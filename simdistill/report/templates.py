"""Jinja templates of pages, with the report's style and its formats of numbers."""

from pathlib import Path

import jinja2

from simdistill.report import formats


def templates(folder: Path) -> jinja2.Environment:
    """Returns an environment with the templates in a folder and the report's own templates."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(
        number=formats.number,
        percent=formats.percent,
        share=formats.share,
        count=formats.count,
        duration=formats.duration,
        interval=formats.interval,
        probability=formats.probability,
        parameters=formats.parameters,
        words=formats.words,
    )
    return found
