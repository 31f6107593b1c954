"""Measures of a student: one file each, in the entry points `simdistill.metrics`.

A measure of your own is a class with `title`, `description` and `in_setting`:

    class Worst(Metric):
        title = "worst case"
        description = "largest cost over the reference's, over the parameter sets"
        relative = True

        def in_setting(self, examination, setting):
            ...

Registered as `simdistill.register("worst", "my_module:Worst", kind="metrics")`, or in the entry points, it
stands in `metrics.json`, in the report's table of measures and on boards.
"""

from simdistill.evaluation.metrics.metric import Metric, measures

__all__ = ["Metric", "measures"]
