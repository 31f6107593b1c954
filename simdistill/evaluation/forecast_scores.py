"""Quality of a student's forecasts: log scores against the simulator's distribution, and reliability.

Axes: N states, B buckets, K futures.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simdistill.simulation import Forecast
from simdistill.statistics import Estimate, bootstrap_estimate

BINS = 10


@dataclass(frozen=True)
class ScoredForecast:
    """The student's and the simulator's forecasts of one quantity in several states.

    Attributes:
        forecast: The forecast question.
        student_NB: The student's probability of each bucket in each state.
        buckets_NK: Index of the bucket in which each simulated future of each state ends.
        marginal_B: The marginal forecast, which ignores the state: mean shares of the buckets in training.
    """

    forecast: Forecast
    student_NB: np.ndarray
    buckets_NK: np.ndarray
    marginal_B: np.ndarray

    @property
    def simulator_NB(self) -> np.ndarray:
        """Share of each state's simulated futures in each bucket."""
        buckets = np.arange(len(self.marginal_B))
        return (self.buckets_NK[:, :, None] == buckets).mean(axis=1)

    @property
    def scores_NF(self) -> np.ndarray:
        """Expected log scores in nats: the marginal forecast's, the student's and the least possible one.

        The least possible score is the entropy of the simulator's distribution. A finite number of futures
        underestimates it, so Miller's correction is added (Note on the bias of information estimates, 1955).
        """
        p_NB, futures = self.simulator_NB, self.buckets_NK.shape[1]
        positive_NB = np.where(p_NB > 0, p_NB, 1.0)
        entropy_N = -(p_NB * np.log(positive_NB)).sum(axis=1) + ((p_NB > 0).sum(axis=1) - 1) / (2 * futures)
        q_NB = np.maximum(self.student_NB, np.finfo(float).tiny)
        marginal_N, student_N = -(p_NB @ np.log(self.marginal_B)), -(p_NB * np.log(q_NB)).sum(axis=1)
        return np.stack([marginal_N, student_N, entropy_N], axis=1)


def skill(forecasts: Sequence[ScoredForecast], random: np.random.Generator) -> Estimate:
    """Returns the student's share of the largest possible gain in log score over the marginal forecast.

    This skill is 0 for the marginal forecast, 1 for the simulator's own distribution, and negative for a
    forecast worse than the marginal one. Its bootstrap interval resamples states.
    """
    return bootstrap_estimate(_skill, np.concatenate([one.scores_NF for one in forecasts]), random)


def _skill(scores_RNF: np.ndarray) -> np.ndarray:
    marginal_R, student_R, least_R = scores_RNF.mean(axis=1).T
    return (marginal_R - student_R) / (marginal_R - least_R)


def log_scores(forecasts: Sequence[ScoredForecast]) -> dict[str, float]:
    """Returns the mean log scores in nats of the marginal forecast, the student and the simulator."""
    scores_F = np.concatenate([one.scores_NF for one in forecasts]).mean(axis=0).tolist()
    return dict(zip(("marginal", "student", "simulator"), scores_F, strict=True))


def reliability(forecasts: Sequence[ScoredForecast]) -> list[dict[str, float]]:
    """Returns forecast probabilities with observed frequencies: one entry for each tenth of probability.

    Every bucket of every state counts as one forecast (DeGroot and Fienberg, The Statistician 32, 1983).
    """
    said_P = np.concatenate([one.student_NB.ravel() for one in forecasts])
    happened_P = np.concatenate([one.simulator_NB.ravel() for one in forecasts])
    bin_P = np.minimum((said_P * BINS).astype(int), BINS - 1)
    return [
        {
            "said": float(said_P[bin_P == place].mean()),
            "happened": float(happened_P[bin_P == place].mean()),
            "count": int((bin_P == place).sum()),
        }
        for place in np.unique(bin_P).tolist()
    ]
