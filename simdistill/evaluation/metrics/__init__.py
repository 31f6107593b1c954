"""Measures of a student. Each has a file of its own and is registered as an entry point `simdistill.metrics`.

A custom measure is a class with `title`, `description` and `in_setting`:

    class Worst(Metric):
        title = "worst case"
        description = "largest cost over the reference's, over the parameter sets"
        relative = True

        def in_setting(self, examination, setting):
            ...

Register it with `simdistill.register("worst", "my_module:Worst", kind="metrics")` or as an entry point. It
then appears in `metrics.json`, in the report's table of measures and on leaderboards.
"""

from simdistill.evaluation.metrics.metric import Metric, measures

__all__ = ["Metric", "measures"]
