"""Costs and forecasts of a live state, by exact solution of the process or by simulation.

An observed state lacks all that the decider can't see, so it can't be replayed as an episode can. If the
process can be solved, the state is looked up in the solution. Otherwise the simulator begins new episodes,
and uses those whose first decision shows exactly this state. If no episode can begin in the state, the answer
is the reason.
Axes: S states, C choices, R episodes, N forecasts.
"""

import itertools
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from simdistill import mdp, registry
from simdistill.config import Range, TaskConfig
from simdistill.errors import InputError
from simdistill.evaluation.exact import NEGLIGIBLE
from simdistill.simulation import EPISODE, TEST, Parameters, Policy
from simdistill.simulation.branching import Values, what_if
from simdistill.simulation.forecasts import distribution
from simdistill.simulation.outcomes import outcomes
from simdistill.simulation.situations import Episode, Situation
from simdistill.simulation.states import key

SERVED = 11
"""Part of these episodes' seed paths, which makes them differ from the examination's episodes."""
FUTURES_OF_EPISODE = 2
SIZES = (40, 80)
AGREEMENT = 0.01
"""Largest change of a cost difference by doubling the truncation, as a share of the largest difference."""
MOST_COUPLED, LONGEST = 0.95, 16
"""Share of coupled futures that is enough, and the largest factor by which the teacher's horizon may grow to
reach it. A live state may be more congested than the teacher's states, so that futures couple later."""
TRIES = 25
"""Largest number of episodes begun for each episode that has to show the state at its first decision."""


class Unknown(Exception):
    """Raised if the simulator has no answer; the message gives the reason."""


@dataclass(frozen=True)
class Solution:
    """The optimum of a truncated process.

    Attributes:
        chain: The truncated process.
        row: A state's key -> index of the state.
        value_SC: Extra cost of each choice over the best one, if the optimal policy decides from then on.
    """

    chain: mdp.Solvable
    row: dict[tuple, int]
    value_SC: np.ndarray

    def values(self, state: dict, choices: Sequence[str]) -> np.ndarray | None:
        """Returns the values of the given choices (C); None if the truncation lacks the state or a choice."""
        row = self.row.get(key(state))
        if row is None or self.chain.states[row] != state or not set(choices) <= set(self.chain.labels):
            return None
        value_C = self.value_SC[row, [self.chain.labels.index(choice) for choice in choices]]
        return value_C if np.isfinite(value_C).all() else None


class Simulator:
    """Calculates costs and forecasts for live states of a task.

    Args:
        task: The task.
        policy: Policy that decides after the first choice in simulated futures.
        horizon: Initial length of the futures, in simulated time.
        seed: Root seed of the futures, so that the same question always has the same answer.
    """

    def __init__(self, task: TaskConfig, policy: Policy, horizon: float, seed: int):
        self.task, self.policy, self.horizon, self.seed = task, policy, horizon, seed
        self.process = registry.load("simulators", task.simulator)
        self._solved = lru_cache(32)(self._solve)

    def costs(self, state: dict, choices: Sequence[str], futures: int) -> dict:
        """Returns the extra cost of each choice over the best one, with standard errors.

        Args:
            state: The observed state.
            choices: Labels of the choices to compare.
            futures: Number of simulated futures per choice, used if the process can't be solved.

        Raises:
            Unknown: If the simulator has no answer.
        """
        try:
            return self._exact(state, choices)
        except Unknown as no_solution:
            reason = str(no_solution)
        try:
            found = self._simulated(state, choices, futures)
        except Unknown as error:
            raise Unknown(f"{reason}; {error}" if reason else str(error)) from None
        return {**found, "why_not_exact": reason} if reason else found

    def forecasts(self, state: dict, futures: int) -> dict:
        """Returns the distribution of each of the simulator's forecasts over its buckets.

        Args:
            state: The observed state.
            futures: Number of simulated episodes.

        Raises:
            Unknown: If the simulator can't begin episodes in this state.
        """
        begun, situations = self._begun(state, futures)
        bucket_RN = np.array([[int(found_K[0]) for found_K in self._outcomes(one)] for one in situations])
        return {
            "futures": len(situations),
            "then": "teacher",
            "begun": begun,
            "probabilities": [
                distribution(bucket_RN[:, number], len(forecast.labels)).tolist()
                for number, forecast in enumerate(self.process.forecasts)
            ],
        }

    def _outcomes(self, situation: Situation) -> list[np.ndarray]:
        forecasts, until = self.process.forecasts, self.task.until
        return outcomes(self.process, situation, self.policy, forecasts, 1, until=until)

    # Exact solution.

    def _exact(self, state: dict, choices: Sequence[str]) -> dict:
        if not mdp.solvable(self.process, self.task.kind):
            raise Unknown("")
        params = self._params(state)
        smaller, larger = self._solved(params.model_dump_json())
        value_C, other_C = smaller.values(state, choices), larger.values(state, choices)
        if value_C is None or other_C is None:
            raise Unknown(
                "the process can be solved, but this state with these choices isn't in its truncation"
            )
        value_C, other_C = value_C - value_C.min(), other_C - other_C.min()
        if np.abs(value_C - other_C).max() > AGREEMENT * other_C.max():
            raise Unknown("the process can be solved, but this state is too near its truncation's boundary")
        return {
            "source": "exact",
            "then": "optimum",
            "parameters": params.model_dump(mode="json"),
            "costs": dict(zip(choices, other_C.tolist(), strict=True)),
            "standard_errors": dict.fromkeys(choices, 0.0),
        }

    def _solve(self, params_json: str) -> tuple[Solution, Solution]:
        """Returns the solutions at a sufficient size and at twice the size; the second checks the first."""
        params = self.process.parse(json.loads(params_json))
        heuristic = registry.policies(self.task.simulator)[self.task.heuristic]
        build = partial(self.process.markov, params)

        def table(chain: mdp.Solvable) -> np.ndarray:
            return mdp.tabulate(chain, heuristic)

        fitting = (size for size in SIZES if mdp.fitting_size(build, table, NEGLIGIBLE, (size,)))
        if (size := next(fitting, None)) is None:
            raise Unknown(
                f"the process can't be solved with these parameters: queues grow under {self.task.heuristic}"
            )
        return _solution(build(size), table), _solution(build(2 * size), table)

    # Simulation.

    def _simulated(self, state: dict, choices: Sequence[str], futures: int) -> dict:
        episodes = max(2, math.ceil(futures / FUTURES_OF_EPISODE))
        begun, situations = self._begun(state, episodes)
        columns = [_column(situations[0], choice) for choice in choices]
        values = self._values(situations)
        coupled = float(np.mean([found.coupled_CK[columns].mean() for found in values]))
        # Futures of one episode share its hidden state, so each episode counts as one observation.
        cost_CR = np.stack([found.mean_C[columns] for found in values], axis=1)
        difference_CR = cost_CR - cost_CR[cost_CR.mean(axis=1).argmin()]
        if coupled < 1 and not difference_CR.any():
            raise Unknown(
                f"after {values[0].horizon:g} {self.task.time_unit}s all choices still cost the same, but in "
                f"{1 - coupled:.0%} of the futures their states still differed"
            )
        doubts = [found.doubt_C[columns] for found in values if found.doubt_C is not None]
        if doubts and not np.isfinite(doubts).all():
            raise Unknown(f"after {values[0].horizon:g} {self.task.time_unit}s nothing had cost anything yet")
        error_C = difference_CR.std(axis=1, ddof=1) / math.sqrt(len(situations))
        error_C = np.hypot(error_C, np.sum(doubts, axis=0) / len(values)) if doubts else error_C
        return {
            "source": "simulated",
            "then": "teacher",
            "parameters": situations[0].params.model_dump(mode="json"),
            "begun": begun,
            "futures": FUTURES_OF_EPISODE * len(situations),
            "met": coupled,
            "costs": dict(zip(choices, difference_CR.mean(axis=1).tolist(), strict=True)),
            "standard_errors": dict(zip(choices, error_C.tolist(), strict=True)),
        }

    def _values(self, situations: Sequence[Situation]) -> list[Values]:
        """Returns what-if values of the situations; the horizon grows until most futures are coupled."""
        horizon, until = self.horizon, self.task.until
        while True:
            values = [
                what_if(self.process, one, self.policy, FUTURES_OF_EPISODE, horizon, until=until)
                for one in situations
            ]
            if np.mean([found.coupled_CK.mean() for found in values]) >= MOST_COUPLED:
                return values
            if horizon >= LONGEST * self.horizon:
                return values
            horizon *= 4

    def _begun(self, state: dict, count: int) -> tuple[dict, list[Situation]]:
        """Begins episodes in a state; returns the starting parameters that led to it, and the situations."""
        most_like = 0
        for start in self._starts(state):
            try:
                params = self._params(state, **start)
            except InputError:
                continue  # this field of the state isn't the parameter's value
            situations = []
            for number in range(TRIES * count):
                if (situation := self._first(params, number, state)) is not None:
                    situations.append(situation)
                if len(situations) == count:
                    return start, situations
                if number == 2 * TRIES and not situations:
                    break
            most_like = max(most_like, len(situations))
        name = self.process.__name__
        if most_like:
            raise Unknown(f"too few episodes of {name} show this state at their first decision: {most_like}")
        starts = ", ".join(self.task.parameters.starts) or "none"
        raise Unknown(
            f"{name} can't be begun in this state with its starting parameters ({starts}), and an observed "
            "state can't be replayed"
        )

    def _starts(self, state: dict) -> Iterator[dict]:
        """Yields starting parameters: each fitting field of the state as the value of each parameter.

        The field and the parameter may have different names.
        """
        starts = self.task.parameters.starts
        free = {name: value for name, value in state.items() if name not in self.process.Params.model_fields}
        fits = [[value for value in free.values() if _fits(value, spread)] for spread in starts.values()]
        for values in itertools.product(*fits):
            yield dict(zip(starts, values, strict=True))

    def _first(self, params: Parameters, number: int, state: dict) -> Situation | None:
        """Returns an episode's first decision if it shows the state, otherwise None."""
        path = (self.seed, TEST, EPISODE, SERVED, number)
        situation = Episode(self.process(params, path)).advance(self.task.until)
        return situation if situation is not None and situation.state == state else None

    def _params(self, state: dict, **start: object) -> Parameters:
        """Returns the task's default parameters with the values that the state shows and those of `start`."""
        shown = {name: value for name, value in state.items() if name in self.process.Params.model_fields}
        return self.process.parse({**self.task.parameters.default, **shown, **start})


def _solution(chain: mdp.Solvable, table: Callable[[mdp.Solvable], np.ndarray]) -> Solution:
    _, evaluation = mdp.optimum(chain, table(chain))
    row = {key(state): number for number, state in enumerate(chain.states)}
    return Solution(chain, row, mdp.choice_values(chain, evaluation))


def _column(situation: Situation, choice: str) -> int:
    if choice not in situation.choices:
        raise Unknown(
            f"in the simulator this state has the choices {', '.join(situation.choices)}, not {choice}"
        )
    return situation.choices.index(choice)


def _fits(value: object, spread: Range | list[Range]) -> bool:
    if isinstance(spread, list):
        return isinstance(value, list) and len(value) == len(spread)
    return isinstance(value, int | float)
