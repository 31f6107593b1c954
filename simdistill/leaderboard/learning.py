"""Learning curves over the seeds of a method on one task. Axes: R runs (training seeds)."""

from collections.abc import Sequence

import numpy as np

from simdistill.results import Learning
from simdistill.statistics import geometric_estimate


def learning(curves: Sequence[Learning]) -> dict:
    """Returns the mean learning curve, and the training effort until students were as good as the heuristic.

    A point's regret is the ratio of the student's and the heuristic's regrets on validation questions. Runs
    that never get as good as the heuristic are censored at their full budget, so the mean effort is then a
    lower bound.
    """
    curves = [curve for curve in curves if curve.heuristic > 0 and curve.points]
    together = zip(*(curve.points for curve in curves), strict=False)
    heuristic_R = np.array([curve.heuristic for curve in curves])
    until = [curve.until(1.0) for curve in curves]
    return {
        "points": [
            {
                "questions": float(np.mean([point.questions for point in points])),
                "minutes": float(np.mean([point.seconds for point in points]) / 60),
                "regret": float(np.mean([point.validation_regret for point in points] / heuristic_R)),
            }
            for points in together
        ],
        "as_good": {
            "runs": sum(there for _, there in until),
            "of": len(curves),
            "questions": _geometric([point.questions for point, _ in until]),
            "minutes": _geometric([point.seconds / 60 for point, _ in until]),
        },
    }


def _geometric(values: Sequence[float]) -> dict | None:
    """Returns the geometric mean with its interval and the number of seeds; None without a value."""
    return geometric_estimate(values).as_dict() | {"seeds": len(values)} if values else None
