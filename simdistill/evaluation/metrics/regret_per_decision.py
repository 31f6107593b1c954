"""The student's excess cost per decision. Axes: P parameter sets, U resampled units, X policies."""

import numpy as np

from simdistill.evaluation.examination import Examination
from simdistill.evaluation.metrics.metric import Metric
from simdistill.evaluation.summaries import resampling, units
from simdistill.statistics import Estimate, bootstrap_estimate


class RegretPerDecision(Metric):
    """The student's excess cost over the reference, divided by the number of the student's decisions.

    Decisions are counted in simulation. The measure is undefined if a policy is unstable or the student makes
    no decisions.
    """

    title = "regret per decision"
    description = "the student's cost beyond the reference's per decision, in cost units; lower is better"

    def in_setting(self, examination: Examination, setting: str) -> Estimate | None:
        task = examination.task
        pair_UX = units(examination.cases, setting, ("student", examination.reference))
        if pair_UX is None:
            return None
        span = 1.0 if task.kind == "terminating" else task.warm_up + task.horizon
        decisions = [
            [replication.decisions for replication in case.policies["student"].replications if replication]
            for case in examination.cases
            if case.setting == setting
        ]
        if not all(map(sum, decisions)):
            return None
        rate_P = [np.mean(of_set) / span for of_set in decisions]
        rows_UX = np.column_stack([pair_UX, np.broadcast_to(rate_P, len(pair_UX))])
        return bootstrap_estimate(
            lambda p: (p[..., 0] - p[..., 1]).sum(-1) / p[..., 2].sum(-1),
            rows_UX,
            resampling(examination.settings.seed),
        )
