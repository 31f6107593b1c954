"""Any registered simulator as a Gymnasium environment."""

import copy
import difflib
import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces

from simdistill import registry
from simdistill.envs.observations import Observer
from simdistill.errors import InputError, ProcessError
from simdistill.simulation import EPISODE, TEST, Decision, Parameters, ProcessModel
from simdistill.simulation import numbers as numbers_of
from simdistill.simulation.ends import state_at_end
from simdistill.simulation.situations import Episode, Situation
from simdistill.simulation.states import fresh

EMPTY_EPISODES = 20
"""Episodes without a decision that `reset` passes over at most."""
_OPTIONS = ("horizon", "render_mode", "flat", "only_numbers", "until")


class SimulatorEnv(gymnasium.Env):
    """One decision a step; the reward is minus the cost accrued since the last decision.

    An episode that ends before its first decision is passed over: the root's next one is played.

    Decisions aren't equally far apart in time (a semi-Markov process): an average cost is total cost over
    total time, `info["elapsed"]` is the time of a step.

    The observation holds the numbers of the state in the order in which they stand in it, as a `Box`. If
    states hold texts, missing values or lists of varying length, it is a `Dict` that has all of them, or with
    `flat=True` a `Box` of features. What states can hold is taken from the simulator's `observes` and from
    episodes that are played with random decisions beforehand. `info` carries the readable `state`
    (JSON-able), the `question`, the legal `choices`, an `action_mask`, the `time` and the time `elapsed`
    since the last decision. An illegal action is counted in `info["illegal_answers"]` and replaced by the
    simulator's fallback.

    At the end of an episode there is no question. The state and the observation are then those at the end:
    `observe` is called once more with the last decision. If it needs a question that waits, so that it raises
    or returns something that can't be encoded, state and observation stay as they were before the last
    action. `info["observed_at_end"]` says whether they are those at the end, and `info["end_error"]` why not.
    There are no choices, and the mask allows every action: samplers need a legal one, though none is taken.

    Args:
        simulator: Registered name of the simulator, "module:Class", or the class itself.
        horizon: Simulated time after which an episode is truncated.
        until: Simulated time at which a terminating task ends: the episode terminates there, and its final
            cost falls due, whatever its processes would still do; None for a task that ends by itself or
            never.
        render_mode: "ansi" for the state in one line.
        flat: Whether states that hold more than numbers are observed as a `Box` of features.
        only_numbers: Whether the observation has nothing but the numbers of a state, as in environments of
            version 0.
        parameters: Parameters of the simulator, e.g. `arrival_rate=2.0`.

    Raises:
        InputError: If the simulator or a parameter isn't known or out of bounds.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["ansi"], "render_fps": 1}

    def __init__(
        self,
        simulator: str | type[ProcessModel],
        horizon: float = 1000.0,
        render_mode: str | None = None,
        flat: bool = False,
        only_numbers: bool = False,
        until: float | None = None,
        **parameters: Any,
    ):
        self.simulator: type[ProcessModel] = (
            registry.load("simulators", simulator) if isinstance(simulator, str) else simulator
        )
        self._check_known(parameters, [*_OPTIONS, *self.simulator.Params.model_fields])
        self.params = self.simulator.parse(parameters)
        for name, value in (("horizon", horizon), ("until", until)):
            if value is not None and not (isinstance(value, numbers.Real) and value > 0):
                raise InputError(f"{name} must be positive, got {value!r}")
        self._stop = min(horizon, math.inf if until is None else until)
        self.until = until
        self.horizon, self.render_mode = horizon, render_mode
        if flat and only_numbers:
            raise InputError("flat=True and only_numbers=True exclude each other; leave one of them out")
        view = "numbers" if only_numbers else "flat" if flat else "spaces"
        self._observer = Observer(self.simulator, self.params, self._stop, view)
        self.observation_space: gymnasium.Space = self._observer.space
        most = self._observer.max_choices
        self.action_space: spaces.Discrete = spaces.Discrete(most)
        self._masks = np.tri(most + 1, most, -1, dtype=np.int8)  # by number of choices
        self._masks[0] = 1  # at the end of an episode every action is allowed
        self.episode: Episode | None = None
        self._state: dict = {}
        self._observed: Any = None

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[Any, dict]:
        """Starts an episode.

        Args:
            seed: Root of the episode's streams; without one, the next episode of the environment's own
                sequence.
            options: `{"parameters": {…}}` changes parameters for this episode.

        Raises:
            InputError: If several episodes end before their first decision, or an option or a parameter is
                wrong.
        """
        super().reset(seed=seed)
        root = seed if seed is not None else int(self.np_random.integers(2**31))
        params = self._params(options)
        self._cost, self._time = 0.0, 0.0
        self._state = fresh(self._begin(params, root).state)
        self._observed = self._observation(self._state)
        return self._observed, self._info(0.0)

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict]:
        """Answers the question and runs the process to the next one."""
        episode, decision = self.episode, self.decision
        if episode is None or decision is None:
            raise gymnasium.error.ResetNeeded(
                "call reset() before step(), and again after an episode has ended"
            )
        action, model = int(action), episode.model
        episode.answer(decision.labels[action] if 0 <= action < len(decision.labels) else f"action {action}")
        following = episode.proceed(self._stop)
        terminated = following is None and (model.ended or self._stop == self.until)
        truncated = following is None and not terminated
        final = model.finish(self._stop) if terminated else 0.0
        now = self.horizon if truncated else model.env.now
        cost = model.cost(now) + final
        reward, elapsed = self._cost - cost, now - self._time
        self._cost, self._time = cost, now
        end = {}
        if following is not None:
            self._state = fresh(model.observe_unchecked(following))
            self._observed = self._observation(self._state)
        else:
            end = self._observe_end(model, decision, now)
        info = {**self._info(elapsed), **end}
        return self._observed, reward, terminated, truncated, info

    def action_masks(self) -> np.ndarray:
        """Returns whether each action is legal (C), for sb3-contrib's MaskablePPO; at the end all are."""
        return self._mask().astype(bool)

    @property
    def model(self) -> ProcessModel | None:
        """The process of the episode; None before the first `reset`."""
        return self.episode.model if self.episode is not None else None

    @property
    def decision(self) -> Decision | None:
        """The decision that waits for an action; None when the episode has ended."""
        return self.episode.decision if self.episode is not None else None

    def render(self) -> str | None:
        """Returns the state in one line."""
        return f"{self._time:.2f}: {self._state}" if self.render_mode == "ansi" else None

    def _begin(self, params: Parameters, root: int) -> Situation:
        """Begins the root's first episode that comes to a decision; in others there is nothing to do."""
        for number in range(EMPTY_EPISODES):
            self.episode = Episode(self.simulator(params, (root, TEST, EPISODE, number)))
            situation = self.episode.advance(self._stop)  # checks, once an episode, that the state is JSON
            if situation is not None:
                return situation
        raise InputError(
            f"{self.simulator.__name__} came to no decision up to the horizon, {self._stop:g} "
            f"(seed {root}, {EMPTY_EPISODES} episodes); give a longer `horizon`"
        )

    def _params(self, options: dict | None) -> Parameters:
        """Returns the parameters of an episode; an `InputError` says which option of `reset` is wrong."""
        options = {} if options is None else options
        if not isinstance(options, Mapping):
            raise InputError(f"reset(options=…): {options!r}: must be a dictionary, {{'parameters': {{…}}}}")
        known = list(self.simulator.Params.model_fields)
        for name in options:
            if name != "parameters":
                meant = difflib.get_close_matches(str(name), known, 1)
                close = f"{{'parameters': {{{meant[0]!r}: {options[name]!r}}}}}" if meant else "'parameters'"
                raise InputError(
                    f"reset(options=…): unknown option {name!r}; did you mean {close}? Options are "
                    "{'parameters': {…}}, parameters of this episode alone"
                )
        changed = options.get("parameters")
        changed = {} if changed is None else changed
        if not isinstance(changed, Mapping):
            raise InputError(
                f"reset(options=…): parameters = {changed!r}: must be a dictionary, name to value"
            )
        self._check_known(changed, known, "reset(options=…): ")
        return self.simulator.parse({**self.params.model_dump(), **changed}) if changed else self.params

    def _check_known(self, given: Iterable, known: Sequence[str], place: str = "") -> None:
        for name in given:
            if name not in known:
                meant = difflib.get_close_matches(str(name), known, 1)
                hint = f"did you mean {meant[0]!r}?" if meant else f"known: {', '.join(known) or 'none'}"
                raise InputError(f"{place}{self.simulator.__name__} has no parameter {name!r}; {hint}")

    def _observe_end(self, model: ProcessModel, last: Decision, now: float) -> dict:
        """Observes the state at the end of an episode, and returns what `info` says about it."""
        try:
            state = fresh(state_at_end(model, last, now))
            self._observed = self._observation(state)
        except (ProcessError, InputError, NotImplementedError) as error:
            self._state, self._observed = fresh(self._state), copy.deepcopy(self._observed)
            return {"observed_at_end": False, "end_error": str(error)}
        self._state = state
        return {"observed_at_end": True}

    def _observation(self, state: dict) -> Any:
        if not math.isfinite(sum(numbers_of(state))) and self.model is not None and self.decision is not None:
            self.model.state(self.decision)  # raises an error that names the number
        return self._observer(state)

    def _mask(self) -> np.ndarray:
        return self._masks[len(self.decision.labels) if self.decision is not None else 0].copy()

    def _info(self, elapsed: float) -> dict:
        decision = self.decision
        return {
            "state": self._state,
            "question": decision.question if decision is not None else "",
            "choices": list(decision.labels) if decision is not None else [],
            "action_mask": self._mask(),
            "time": self._time if decision is None else float(decision.env.now),
            "elapsed": elapsed,
            "illegal_answers": self.model.illegal_answers if self.model is not None else 0,
        }
