"""Known answers, and what a simulator does to reproduce them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from simdistill.simulation.parameters import Parameters
from simdistill.simulation.policies import Policy
from simdistill.simulation.replication import Replication

Figure = float | Sequence[float]
"""A number, or one for each component."""

Measure = str | Callable[[Replication], Figure]
"""Name of a tally, a level or a cost of the model, or a function of a replication."""


@dataclass(frozen=True)
class KnownCase:
    """A case of a file of known answers.

    Attributes:
        id: Names the case.
        family: What kind of system it is.
        parameters: All of the system's parameters, in the case's own words and units.
        policy: `name` and arguments; empty where nothing is decided.
        conventions: Where two readings would give two answers, the one meant.
        run: `kind` (steady_state, terminating, unstable), `start`, horizons.
        expected: `measure`, `value`, `tolerance` and `source` of each answer.
        folder: Where files that the parameters name are found.
    """

    id: str
    family: str
    parameters: Mapping[str, Any]
    policy: Mapping[str, Any]
    conventions: Mapping[str, Any]
    run: Mapping[str, Any]
    expected: tuple[Mapping[str, Any], ...]
    folder: Any = None


@dataclass(frozen=True)
class Experiment:
    """What a simulator does to reproduce a known case.

    Attributes:
        params: Parameters of the simulator.
        policy: Decides in simulation; None where only a solver answers.
        measures: Measure of the case -> where a replication has it. Measures that the model's tallies and
            levels already carry by name (with or without a leading `mean_` or `p_`) needn't be listed.
        solved: Measure of the case -> exact value by the reference solver, computed when called.
        warm_up: Simulated time left out; 0 for a terminating episode.
        horizon: Simulated time of one replication after the warm-up.
        terminating: Whether an episode has an end.
        growing: Measure -> level whose growth rate per unit of time says that the system is unstable.
        other_start: The same system begun in another state, e.g. with many jobs; checks the warm-up.
    """

    params: Parameters
    policy: Policy | None
    measures: Mapping[str, Measure] = field(default_factory=dict)
    solved: Mapping[str, Callable[[], Figure]] = field(default_factory=dict)
    warm_up: float = 0.0
    horizon: float = 1000.0
    terminating: bool = False
    growing: Mapping[str, str] = field(default_factory=dict)
    other_start: Parameters | None = None
