"""Distributions sampled by inverse transform: one uniform number makes one draw.

One uniform per draw is what keeps two runs comparable: the same key gives the same uniform, whatever the
parameters, so a faster server serves the *same* job faster (common random numbers with monotone coupling;
Law, Simulation Modeling and Analysis, section 11.2).
"""

from simdistill.simulation.distributions.base import Distribution
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
)
from simdistill.simulation.distributions.counts import (
    Binomial,
    Counts,
    DiscreteUniform,
    Geometric,
    NegativeBinomial,
    Poisson,
)
from simdistill.simulation.distributions.durations import Interrupted, PiecewiseExponential, beyond
from simdistill.simulation.distributions.naming import NAMED, named, of_moments

# Lower-case names read better in a model: self.duration("service", job, exponential(2.0)).
exponential, deterministic, uniform, gamma = Exponential, Deterministic, Uniform, Gamma
triangular, lognormal, normal, hyperexponential = Triangular, Lognormal, Normal, Hyperexponential
poisson, geometric, negative_binomial, binomial = Poisson, Geometric, NegativeBinomial, Binomial
discrete_uniform = DiscreteUniform
piecewise_exponential, interrupted = PiecewiseExponential, Interrupted

__all__ = [
    "NAMED",
    "Binomial",
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
    "NegativeBinomial",
    "Normal",
    "PiecewiseExponential",
    "Poisson",
    "Scaled",
    "Triangular",
    "Uniform",
    "beyond",
    "binomial",
    "deterministic",
    "discrete_uniform",
    "exponential",
    "gamma",
    "geometric",
    "hyperexponential",
    "interrupted",
    "lognormal",
    "named",
    "negative_binomial",
    "normal",
    "of_moments",
    "piecewise_exponential",
    "poisson",
    "triangular",
    "uniform",
]
