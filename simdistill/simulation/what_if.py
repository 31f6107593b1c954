"""What-if for notebooks: one call simulates what each choice of one decision costs."""

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simdistill import registry
from simdistill.errors import InputError
from simdistill.simulation import branching
from simdistill.simulation.model import ProcessModel
from simdistill.simulation.parameters import Parameters
from simdistill.simulation.policies import Policy, RandomPolicy, with_streams
from simdistill.simulation.situations import Episode, Situation
from simdistill.simulation.streams import EPISODE, PLAN, TEST, Streams

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class WhatIf:
    """What each choice of a decision costs, compared with the policy's own choice.

    Attributes:
        choices: Labels of the choices (C).
        mean: Cost of each choice minus that of the policy's own (C).
        standard_error: Standard error of that difference (C). It is 0 for the policy's own choice, and wide
            or infinite where the futures were too short to tell.
        coupled: Share of futures in which the branches met or both ended, so that the difference is exact.
        horizon: Simulated time after which branches that hadn't met were stopped.
        unsettled: Whether some difference wasn't at rest at the last horizon, so that it may be another one.
        taken: The policy's own choice.
        situation: The decision: its time, the state, and the answers before it.
    """

    choices: tuple[str, ...]
    mean: np.ndarray
    standard_error: np.ndarray
    coupled: float
    horizon: float
    unsettled: bool
    taken: str
    situation: Situation

    def __str__(self) -> str:
        pairs = zip(self.choices, self.mean, self.standard_error, strict=True)
        lines = [f"{label}: {mean:+.4g} ± {error:.2g}" for label, mean, error in pairs]
        lines.append(f"{self.coupled:.0%} of the futures met or ended by {self.horizon:g}")
        if self.unsettled:
            lines.append("not at rest by then: give a longer horizon, or a fingerprint")
        return "\n".join(lines)

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draws each difference with two standard errors to either side, and returns the axes.

        Args:
            ax: Axes of Matplotlib to draw on; new ones if left out.
        """
        if ax is None:
            from matplotlib import pyplot

            ax = pyplot.figure().add_subplot()
        assert ax is not None
        rows, errors = range(len(self.choices)), 2 * np.asarray(self.standard_error)
        known = np.isfinite(errors)
        ax.errorbar(self.mean, rows, xerr=np.where(known, errors, 0.0), fmt="o", capsize=4)
        for row in np.flatnonzero(~known):
            ax.annotate(" can't tell yet", (self.mean[row], row), va="center")
        ax.axvline(0.0, linewidth=1, color="gray")
        ax.set_yticks(rows, self.choices)
        ax.invert_yaxis()
        ax.set_xlabel(f"cost compared with {self.taken}")
        return ax


def what_if(
    Process: type[ProcessModel] | str,
    params: Parameters | Mapping[str, Any] | None = None,
    seed: int = 0,
    decision: int = 0,
    policy: str | Policy = "random",
    futures: int = 64,
    horizon: float = 60.0,
    until: float | None = None,
) -> WhatIf:
    """Simulates what each choice of one decision costs if a policy goes on from there.

    An episode is played by the policy up to the decision; then every choice is tried in the same futures.

        >>> import simdistill
        >>> found = simdistill.what_if(
        ...     "queueing", {"initial_jobs": (4, 0)}, seed=1, policy="join_shortest_queue", futures=16
        ... )
        >>> found.choices, found.taken
        (('A', 'B'), 'B')
        >>> float(found.mean[1]), float(found.standard_error[1])
        (0.0, 0.0)

    Args:
        Process: The process model: a class, also one made by `simdistill.adapt.process_model`, or the name
            of a registered simulator.
        params: The model's parameters; those left out have their defaults.
        seed: Root of the episode's random numbers, as in `env.reset(seed=...)`.
        decision: Number of the decision in the episode, from 0.
        policy: Policy that decides before and after that decision: the name of one of the model's policies,
            "random", or a function of the state and the choices.
        futures: Number of simulated futures, at least 2.
        horizon: Initial simulated time of a future; it is doubled until cost differences stop changing.
        until: Simulated time at which a terminating task ends and its final cost falls due, counted from the
            beginning of the episode; None for a process that goes on or ends by itself.

    Raises:
        InputError: If an argument is wrong, or the episode has fewer decisions.
        ProcessError: If the process fails.
    """
    simulator = _simulator(Process)
    horizon = _time("horizon", horizon)
    end = math.inf if until is None else _time("until", until)
    number = _number("decision", decision, 0)
    futures, seed = _number("futures", futures, 2), _number("seed", seed, 0)
    if math.isinf(horizon):
        raise InputError(f"what_if: horizon must be a positive time, got {horizon!r}")
    decides = _policy(simulator, policy)
    episode = Episode(simulator(params, (seed, TEST, EPISODE, 0)))
    own = with_streams(decides, Streams((*episode.model.seed_path, PLAN)))
    while (here := episode.advance(end)) is not None and len(here.actions) < number:
        episode.answer(own(here.state, here.choices))
    if here is None:
        raise InputError(
            f"what_if: decision = {number}, and the episode of {simulator.__name__} with seed {seed} has "
            f"{len(episode.actions)} decisions" + (f" until {end:g}" if end < math.inf else "")
        )
    found = branching.what_if(simulator, here, decides, futures, horizon, until=end)
    coupled = float(found.coupled_CK.all(axis=0).mean())
    taken, errors_C = here.choices[found.base], found.standard_error_C
    return WhatIf(here.choices, found.mean_C, errors_C, coupled, found.horizon, found.unsettled, taken, here)


def _simulator(process: Any) -> type[ProcessModel]:
    found = registry.load("simulators", process) if isinstance(process, str) else process
    if isinstance(found, type) and issubclass(found, ProcessModel):
        return found
    hint = "give the class, not an object of it" if isinstance(found, ProcessModel) else "give a ProcessModel"
    if callable(found) and not isinstance(found, type):
        hint = f"make one of it: simdistill.adapt.process_model({getattr(found, '__name__', 'function')})"
    raise InputError(f"what_if: {found!r} is no process model; {hint}")


def _policy(simulator: type[ProcessModel], policy: str | Policy) -> Policy:
    if not isinstance(policy, str):
        if not isinstance(policy, Callable):
            raise InputError(f"what_if: policy must be a name or a function, got {policy!r}")
        return policy
    known = {**simulator.policies, "random": RandomPolicy(Streams((0,)))}
    if policy not in known:
        raise InputError(f"what_if: {registry.unknown('policy', policy, known)}")
    return known[policy]


def _time(name: str, value: Any) -> float:
    wanted = "a positive time" if name == "horizon" else "a time after 0"
    known = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not known or not float(value) > 0:
        raise InputError(f"what_if: {name} must be {wanted}, got {value!r}")
    return float(value)


def _number(name: str, value: Any, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least or isinstance(value, bool):
        raise InputError(f"what_if: {name} must be a whole number, {least} or more; got {value!r}")
    return number
