"""Distributions sampled by inverse transform: one uniform number makes one draw.

One uniform per draw is what keeps two runs comparable: the same key gives the same uniform, whatever the
parameters, so a faster server serves the *same* job faster (common random numbers with monotone coupling;
Law, Simulation Modeling and Analysis, section 11.2).
"""

from simdistill.simulation.distributions.accepted import AnyDistribution, accepted, told
from simdistill.simulation.distributions.base import Distribution, Tailed
from simdistill.simulation.distributions.continuous import (
    Deterministic,
    Exponential,
    Gamma,
    Hyperexponential,
    Lognormal,
    Normal,
    Scaled,
    Triangular,
    Uniform,
    Weibull,
    lognormal,
)
from simdistill.simulation.distributions.counts import (
    Binomial,
    Counts,
    DiscreteUniform,
    Geometric,
    NegativeBinomial,
    Poisson,
)
from simdistill.simulation.distributions.derived import Mixture, Shifted, Truncated
from simdistill.simulation.distributions.durations import Interrupted, PiecewiseExponential, beyond
from simdistill.simulation.distributions.labels import Categorical
from simdistill.simulation.distributions.moments import mean_of, variance_of
from simdistill.simulation.distributions.naming import NAMED, named, of_moments

# Lower-case names read better in a model: self.duration("service", job, exponential(2.0)).
exponential, deterministic, uniform, gamma = Exponential, Deterministic, Uniform, Gamma
weibull, triangular, normal, hyperexponential = Weibull, Triangular, Normal, Hyperexponential
truncated, shifted, mixture, categorical = Truncated, Shifted, Mixture, Categorical
poisson, geometric, negative_binomial, binomial = Poisson, Geometric, NegativeBinomial, Binomial
discrete_uniform = DiscreteUniform
piecewise_exponential, interrupted = PiecewiseExponential, Interrupted

__all__ = [
    "NAMED",
    "AnyDistribution",
    "Binomial",
    "Categorical",
    "Counts",
    "Deterministic",
    "DiscreteUniform",
    "Distribution",
    "Exponential",
    "Gamma",
    "Geometric",
    "Hyperexponential",
    "Interrupted",
    "Lognormal",
    "Mixture",
    "NegativeBinomial",
    "Normal",
    "PiecewiseExponential",
    "Poisson",
    "Scaled",
    "Shifted",
    "Tailed",
    "Triangular",
    "Truncated",
    "Uniform",
    "Weibull",
    "accepted",
    "beyond",
    "binomial",
    "categorical",
    "deterministic",
    "discrete_uniform",
    "exponential",
    "gamma",
    "geometric",
    "hyperexponential",
    "interrupted",
    "lognormal",
    "mean_of",
    "mixture",
    "named",
    "negative_binomial",
    "normal",
    "of_moments",
    "piecewise_exponential",
    "poisson",
    "shifted",
    "told",
    "triangular",
    "truncated",
    "uniform",
    "variance_of",
    "weibull",
]
