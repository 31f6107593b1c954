"""Any registered simulator as a Gymnasium environment."""

import math
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces

from simdistill import registry
from simdistill.errors import InputError
from simdistill.simulation import EPISODE, TEST, TRAIN, Decision, ProcessModel, numbers
from simdistill.simulation.situations import Episode

LARGEST = 1e9
"""Bound of an observed number; Gymnasium's checker advises against infinite bounds."""


class SimulatorEnv(gymnasium.Env):
    """One decision a step; the reward is minus the cost accrued since the last decision.

    Decisions aren't equally far apart in time (a semi-Markov process): an average cost is total cost over
    total time, `info["elapsed"]` is the time of a step.

    The observation holds the numbers of the state in the order in which they stand in it. `info` carries the
    readable `state` (JSON-able), the `question`, the legal `choices`, an `action_mask`, the `time` and the
    time `elapsed` since the last decision. An illegal action is counted in `info["illegal_answers"]` and
    replaced by the simulator's fallback.

    Args:
        simulator: Registered name of the simulator, "module:Class", or the class itself.
        horizon: Simulated time after which an episode is truncated.
        render_mode: "ansi" for the state in one line.
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
        **parameters: Any,
    ):
        self.simulator: type[ProcessModel] = (
            registry.load("simulators", simulator) if isinstance(simulator, str) else simulator
        )
        self.params = self.simulator.parse(parameters)
        if not horizon > 0:
            raise InputError(f"horizon must be positive, got {horizon!r}")
        self.horizon, self.render_mode = horizon, render_mode
        probe = self.simulator(self.params, (0, TRAIN, EPISODE, 0))
        decision = probe.advance()
        if decision is None:
            raise InputError(
                f"{self.simulator.__name__}: the process ended without a decision; does it reach decide()?"
            )
        self._size = len(numbers(probe.state(decision)))
        self.observation_space: spaces.Box = spaces.Box(
            -LARGEST, LARGEST, shape=(self._size,), dtype=np.float64
        )
        self.action_space: spaces.Discrete = spaces.Discrete(probe.max_choices)
        self._masks = np.tri(
            probe.max_choices + 1, probe.max_choices, -1, dtype=np.int8
        )  # by number of choices
        self.episode: Episode | None = None
        self._state: dict = {}

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[np.ndarray, dict]:
        """Starts an episode.

        Args:
            seed: Root of the episode's streams; without one, the next episode of the environment's own
                sequence.
            options: `{"parameters": {…}}` changes parameters for this episode.

        Raises:
            InputError: If the horizon ends before the first decision, or a parameter is wrong.
        """
        super().reset(seed=seed)
        root = seed if seed is not None else int(self.np_random.integers(2**31))
        changed = (options or {}).get("parameters")
        params = self.simulator.parse({**self.params.model_dump(), **changed}) if changed else self.params
        episode = self.episode = Episode(self.simulator(params, (root, TEST, EPISODE, 0)))
        self._cost, self._time = 0.0, 0.0
        situation = episode.advance(self.horizon)  # checks, once an episode, that the state is JSON
        if situation is None:
            raise InputError(
                f"{self.simulator.__name__} came to no decision up to the horizon, {self.horizon:g} "
                f"(seed {root}); give a longer `horizon`"
            )
        self._state = situation.state
        return self._observation(), self._info(0.0)

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        """Answers the question and runs the process to the next one."""
        episode, decision = self.episode, self.decision
        if episode is None or decision is None:
            raise gymnasium.error.ResetNeeded(
                "call reset() before step(), and again after an episode has ended"
            )
        action, model = int(action), episode.model
        episode.answer(decision.labels[action] if 0 <= action < len(decision.labels) else f"action {action}")
        following = episode.proceed(self.horizon)
        terminated = following is None and model.ended
        truncated = following is None and not terminated
        now = self.horizon if truncated else model.env.now
        cost = model.cost(now) + (model.final_cost() if terminated else 0.0)
        reward, elapsed = self._cost - cost, now - self._time
        self._cost, self._time = cost, now
        if following is not None:  # the last state stays when the episode has ended
            self._state = model.observe_unchecked(following)
        return self._observation(), reward, terminated, truncated, self._info(elapsed)

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

    def _observation(self) -> np.ndarray:
        values = numbers(self._state)
        if not math.isfinite(sum(values)) and self.model is not None and self.decision is not None:
            self.model.state(self.decision)  # raises an error that names the number
        if len(values) != self._size:
            raise InputError(
                f"{self.simulator.__name__}.observe() gave {len(values)} numbers, at first it gave "
                f"{self._size}; an environment needs the same ones at every decision"
            )
        return np.array(values)

    def _info(self, elapsed: float) -> dict:
        decision = self.decision
        labels = decision.labels if decision is not None else []
        return {
            "state": self._state,
            "question": decision.question if decision is not None else "",
            "choices": list(labels),
            "action_mask": self._masks[len(labels)].copy(),
            "time": self._time if decision is None else float(decision.env.now),
            "elapsed": elapsed,
            "illegal_answers": self.model.illegal_answers if self.model is not None else 0,
        }
