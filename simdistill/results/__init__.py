"""Results of a run: the typed contents of `metrics.json`, in the present layout and the one before it."""

from simdistill.results.learning import Learning, LearningPoint
from simdistill.results.migration import renamed_row
from simdistill.results.parts import SETTINGS
from simdistill.results.run import LAYOUT, Parameters, Results, RewardUpdates, Tokens, read_document
from simdistill.results.task import (
    Cost,
    Forecasts,
    Generation,
    PolicyResults,
    Simulated,
    SimulatorSteps,
    Spoken,
    TaskResults,
)

__all__ = [
    "LAYOUT",
    "SETTINGS",
    "Cost",
    "Forecasts",
    "Generation",
    "Learning",
    "LearningPoint",
    "Parameters",
    "PolicyResults",
    "Results",
    "RewardUpdates",
    "Simulated",
    "SimulatorSteps",
    "Spoken",
    "TaskResults",
    "Tokens",
    "read_document",
    "renamed_row",
]
