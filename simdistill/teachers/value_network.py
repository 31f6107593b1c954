"""A fast policy fitted to what-if values: a small neural network on the features of a state.

Fitting uses torch. Deciding uses NumPy and a cache of choices, as a policy that continues branches must
decide within a few microseconds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from simdistill.simulation import Policy, Streams
from simdistill.simulation.policies import with_streams
from simdistill.simulation.states import State, key
from simdistill.teachers.fit_inputs import FitInputs, NumberInputs

FEATURES_PER_NUMBER = 3


def features(numbers_SN: np.ndarray, flag_N: np.ndarray | None = None) -> np.ndarray:
    """Returns each number, its logarithm and its reciprocal: rates are divisors, and queues vary widely.

    Args:
        numbers_SN: The numbers of each state (N).
        flag_N: Whether each number is a flag, which is 0 or 1, such as whether a category has a value. Flags
            are returned as they are, after the rest. None if there are none.

    Returns:
        The features (S, F).
    """
    if flag_N is not None:
        return np.concatenate([features(numbers_SN[:, ~flag_N]), numbers_SN[:, flag_N]], axis=1)
    size_SN = np.abs(numbers_SN)
    return np.concatenate(
        [numbers_SN, np.sign(numbers_SN) * np.log1p(size_SN), 1.0 / (0.25 + size_SN)], axis=1
    )


@dataclass
class FittedPolicy:
    """A policy that takes the choice of least fitted cost, and choices that were never searched last.

    Axes: M networks, whose mean is used, S states, F features, H hidden units, C choices.

    Attributes:
        labels: Labels of the choices, in the order of the networks' outputs.
        shift_F, stretch_F: Mean and scale by which features are standardised.
        layers: Weights (M, in, out) and biases (M, 1, out) of each layer.
        scale: Cost, in cost units, of a network output of 1.
        fallback: Policy for states that the networks don't know: they have another form than the states of
            the fit, or a text that none of those had.
        inputs: The inputs that the networks get of a state; None if they get its numbers.
    """

    labels: tuple[str, ...]
    shift_F: np.ndarray
    stretch_F: np.ndarray
    layers: list[tuple[np.ndarray, np.ndarray]]
    scale: float
    fallback: Policy | None = None
    inputs: FitInputs | None = None
    _remembered: dict = field(default_factory=dict, repr=False, compare=False)

    def with_streams(self, streams: Streams) -> "FittedPolicy":
        """Returns the policy for one simulation run, with random numbers for the fallback policy."""
        if self.fallback is None:
            return self
        return replace(self, fallback=with_streams(self.fallback, streams))  # the cache is shared

    def __call__(self, state: State, choices: Sequence[str]) -> str:
        remembered = key(state, choices)
        choice = self._remembered.get(remembered)
        if choice is None:
            if self.fallback is not None and not self.knows(state):
                return self.fallback(state, choices)
            if len(self._remembered) > 1_000_000:
                self._remembered.clear()
            choice = self._remembered[remembered] = self._cheapest(self.costs([state])[0], choices)
        return choice

    def many(self, states: Sequence[State], choices_S: Sequence[Sequence[str]]) -> list[str]:
        """Returns the choice in each of many states; the networks are evaluated once for all states."""
        if self.fallback is not None and not all(map(self.knows, states)):
            return [self(state, choices) for state, choices in zip(states, choices_S, strict=True)]
        costs_SC = self.costs(states).tolist() if states else []
        return [
            self._cheapest(costs_C, choices) for costs_C, choices in zip(costs_SC, choices_S, strict=True)
        ]

    def costs(self, states: Sequence[State]) -> np.ndarray:
        """Returns the fitted cost of each choice (S, C), relative to the mean over choices, in cost units."""
        return self.costs_of_each(states).mean(axis=0)

    def costs_of_each(self, states: Sequence[State]) -> np.ndarray:
        """Returns the costs that each network predicts, (M, S, C)."""
        values_SF = features(*self._inputs.matrix(states))
        hidden = ((values_SF - self.shift_F) / self.stretch_F)[None]
        for depth, (weights, biases) in enumerate(self.layers):
            hidden = hidden @ weights + biases
            if depth + 1 < len(self.layers):
                hidden = np.tanh(hidden)
        return hidden * self.scale

    def knows(self, state: State) -> bool:
        """Returns whether a state has the form of the states of the fit, and only texts that they had."""
        return self._inputs.knows(state)

    @property
    def _inputs(self) -> FitInputs | NumberInputs:
        return self.inputs or NumberInputs(len(self.shift_F) // FEATURES_PER_NUMBER)

    def _cheapest(self, costs_C: Sequence[float], choices: Sequence[str]) -> str:
        costs = dict(zip(self.labels, costs_C, strict=True))
        return min(choices, key=lambda label: costs.get(label, math.inf))

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_remembered": {}}


def precision(costs_SC: np.ndarray, variances_SC: np.ndarray) -> np.ndarray:
    """Returns the weight of each cost in a fit (S, C): 0 if the choice isn't legal, 1 on average.

    The weight is 1 / (variance + median variance + 0.1 * cost²), up to a factor. The squared cost is added
    because the error of a large cost matters less than its sign. The median is added so that states whose few
    futures agree by chance don't dominate.
    """
    legal_SC = np.isfinite(costs_SC)
    noisy_SC = legal_SC & (np.nan_to_num(variances_SC) > 0)  # equivalent choices have a variance of 0
    noise = float(np.median(variances_SC[noisy_SC])) if noisy_SC.any() else 1e-12
    weights_SC = legal_SC / (np.nan_to_num(variances_SC) + noise + 0.1 * np.nan_to_num(costs_SC) ** 2)
    return weights_SC / weights_SC.mean()


def fit(
    states: Sequence[State],
    labels: Sequence[str],
    costs_SC: np.ndarray,
    weights_SC: np.ndarray,
    train_MS: np.ndarray,
    seed: int,
    hidden: int = 32,
    steps: int = 400,
    decay: float = 1.0,
    observes: type | None = None,
) -> FittedPolicy:
    """Fits networks to noisy costs by weighted least squares.

    Args:
        states: Observed states, length S.
        labels: Labels of the choices, length C.
        costs_SC: Cost of each choice relative to the mean over legal choices, NaN if it isn't legal.
        weights_SC: Weight of each cost, as returned by `precision`.
        train_MS: Whether a network is trained on a state.
        seed: Seed of the networks' initial weights.
        hidden: Number of units in each of two hidden layers.
        steps: Number of optimiser steps, each on all states.
        decay: Weight decay.
        observes: Type by which the simulator declares its states (`ProcessModel.observes`); None if it
            declares none.
    """
    import torch

    given = FitInputs.of(states, observes)
    values_SF = features(*given.matrix(states))
    shift_F, stretch_F = values_SF.mean(axis=0), values_SF.std(axis=0) + 1e-6
    legal_SC = np.isfinite(costs_SC)
    scale = float(np.sqrt(np.mean(costs_SC[legal_SC] ** 2))) or 1.0

    layers = _first_layers((values_SF.shape[1], hidden, hidden, len(labels)), len(train_MS), seed)
    inputs = torch.tensor((values_SF - shift_F) / stretch_F, dtype=torch.float32)
    targets = torch.tensor(np.nan_to_num(costs_SC) / scale, dtype=torch.float32)
    weight_MSC = torch.tensor(weights_SC[None] * train_MS[:, :, None], dtype=torch.float32)
    weight_MSC = weight_MSC / weight_MSC.sum(dim=(1, 2), keepdim=True)
    parameters = [tensor for layer in layers for tensor in layer]
    optimizer = torch.optim.AdamW(parameters, lr=1e-2, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps)
    for _ in range(steps):
        output = inputs.expand(len(train_MS), -1, -1)
        for depth, (weights, biases) in enumerate(layers):
            output = output @ weights + biases
            if depth + 1 < len(layers):
                output = torch.tanh(output)
        loss = (weight_MSC * (output - targets) ** 2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    arrays = [(w.detach().double().numpy(), b.detach().double().numpy()) for w, b in layers]
    own = None if given.encoding.plain else given
    return FittedPolicy(tuple(labels), shift_F, stretch_F, arrays, scale, inputs=own)


def _first_layers(sizes: Sequence[int], networks: int, seed: int) -> list[tuple]:
    """Returns the initial weights (M, in, out) and biases (M, 1, out) of each layer, for training."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    layers = []
    for before, after in pairwise(sizes):
        weights = torch.randn(networks, before, after, generator=generator) / before**0.5
        layers.append((weights.requires_grad_(), torch.zeros(networks, 1, after, requires_grad=True)))
    return layers
