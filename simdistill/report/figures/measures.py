"""The table of all measures in `metrics.json`, in every setting."""

from typing import Any

from simdistill import registry
from simdistill.report.figures.figure import Figure, Shown, rendered
from simdistill.report.formats import words
from simdistill.report.record import Record


class Measures(Figure):
    """Every measure of the student, setting by setting."""

    order = 15

    def __call__(self, record: Record) -> Shown | None:
        rows = [row for name in record.task.measures if any((row := _row(record, name))["estimates"])]
        if not rows:
            return None
        return Shown("", rendered("measures.html.j2", rows=rows, settings=record.settings))


def _row(record: Record, name: str) -> dict[str, Any]:
    """Returns the row of one measure; a measure that isn't installed here has its name as title."""
    metric = registry.load("metrics", name) if name in registry.names("metrics") else None
    return {
        "title": metric.title if metric else words(name),
        "description": metric.description if metric else "",
        "relative": metric is not None and metric.relative,
        "estimates": [record.task.measure(name, setting) for setting in record.settings],
    }
