"""Figures of a run's page. Each has its own file and is registered as an entry point `simdistill.figures`.

A custom figure is a class that is called with a `Record` and returns the part to show, or None:

    class Decisions(Figure):
        order = 70

        def __call__(self, record):
            return Shown("Decisions", svg(record.id("decisions"), "Decisions a second", 300, 200, draw), "…")

Register it with `simdistill.register("decisions", "my_module:Decisions", kind="figures")` or as an entry
point. It then appears on every page.
"""

from simdistill.report.figures.figure import Figure, Shown

__all__ = ["Figure", "Shown"]
