"""Figures of a run's page: one file each, in the entry points `simdistill.figures`.

A figure of your own is a class that is called with a `Record` and returns what to show, or None:

    class Decisions(Figure):
        order = 70

        def __call__(self, record):
            return Shown("Decisions", svg(record.id("decisions"), "Decisions a second", 300, 200, draw), "…")

Registered as `simdistill.register("decisions", "my_module:Decisions", kind="figures")`, or in the entry
points, it stands on every page from then on.
"""

from simdistill.report.figures.figure import Figure, Shown

__all__ = ["Figure", "Shown"]
