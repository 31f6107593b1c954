"""Costs of choices in searched states: simulated costs, combined with a regression on the state's features.

Axes: S states, C choices, K futures, M networks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import nnls

from simdistill.simulation import PLAN, TRAIN, generator
from simdistill.simulation.branching import Values
from simdistill.simulation.situations import Situation
from simdistill.teachers.value_network import FittedPolicy, fit, precision

DECAYS = (1.0, 3.0, 10.0)
"""Candidate weight decays; they are strong, as a few futures' noise is larger than cost differences."""
PRIOR_FUTURES = 10
"""Weight, as a number of futures, of a variance that is predicted from the state."""

Spread = tuple[float, float]
"""Error variance of a fit, as (constant, share of cost²)."""


@dataclass(frozen=True)
class Searched:
    """A situation with the simulated values of its choices.

    Attributes:
        situation: The situation in which the choice is made.
        values: Simulated cost differences between the choices under new futures.
        group: Number of the scenario, whose situations share their parameters.
    """

    situation: Situation
    values: Values
    group: int


@dataclass
class Labels:
    """Costs of the choices in searched states, simulated and combined with the regression.

    Attributes:
        names: Labels of the choices, in the order of the columns.
        costs_SC: Combined cost of each choice above the least one; NaN if the choice isn't legal.
        errors_SC: Standard error of each choice's cost difference from the least one.
        simulated_SC: Simulated cost of each choice relative to the mean over choices.
        simulated_errors_SC: Standard error of `simulated_SC`.
    """

    names: tuple[str, ...]
    costs_SC: np.ndarray
    errors_SC: np.ndarray
    simulated_SC: np.ndarray
    simulated_errors_SC: np.ndarray

    @classmethod
    def none(cls) -> "Labels":
        """Returns labels of no states."""
        return cls((), *[np.zeros((0, 0))] * 4)


@dataclass(frozen=True)
class Regression:
    """A regression of simulated costs on the features of the state.

    Attributes:
        network: Networks that predict the cost of each choice.
        noise: Networks that predict the logarithm of a simulated cost's variance; None if variances aren't
            shrunk.
        spread: Error variance of `network`; None if simulated costs aren't combined with predictions.
    """

    network: FittedPolicy
    noise: FittedPolicy | None
    spread: Spread | None

    def label(self, searched: Sequence[Searched]) -> Labels:
        """Combines simulated costs with predictions, for states on which the networks weren't trained."""
        names, states = self.network.labels, [s.situation.state for s in searched]
        costs_SC, variances_SC = centred(searched, names)
        noise_SC = None if self.noise is None else _predicted(self.noise, states)
        variances_SC = shrink_variances(variances_SC, noise_SC, _futures(searched))
        variances_SC = variances_SC + doubts(searched, names)
        return weigh_by_precision(
            names, costs_SC, variances_SC, _predicted(self.network, states), self.spread
        )


def combine_with_fit(
    searched: Sequence[Searched],
    seed: int,
    number: int,
    folds: int,
    combine: bool = True,
    shrink: bool = True,
    observes: type | None = None,
) -> tuple[Regression, Labels]:
    """Fits a regression of simulated costs on the state's features, and combines costs with predictions.

    A state's predictions come from networks that weren't trained on its scenario or, if there is only one
    scenario, on the state itself (cross-fitting). Simulated and predicted costs are weighted by their
    precision. The weight decay is the one of `DECAYS` that predicts unseen states best.

    Args:
        searched: States with simulated values.
        seed: Root seed.
        number: Number that distinguishes this regression from others.
        folds: Number of folds of the cross-fitting.
        combine: Whether simulated costs are combined with predictions; else labels are the simulated costs.
        shrink: Whether variances are shrunk towards predicted variances, if there are several futures.
        observes: Type by which the simulator declares its states (`ProcessModel.observes`); None if it
            declares none.

    Returns:
        The regression and the labels of the states.
    """
    labels = tuple(dict.fromkeys(choice for s in searched for choice in s.situation.choices))
    costs_SC, variances_SC = centred(searched, labels)
    groups_S = np.array([s.group for s in searched])
    if len(set(groups_S.tolist())) == 1:
        groups_S = np.arange(len(searched))
    fold_of_group = {group: i % folds for i, group in enumerate(dict.fromkeys(groups_S.tolist()))}
    fold_S = np.array([fold_of_group[group] for group in groups_S.tolist()])
    train_MS = np.arange(folds)[:, None] != fold_S[None]
    first = int(generator((seed, TRAIN, PLAN, number)).integers(2**31))
    states = [s.situation.state for s in searched]

    def unseen(network: FittedPolicy) -> np.ndarray:
        return network.costs_of_each(states)[fold_S, np.arange(len(states))]

    futures = _futures(searched)
    noise = (
        _noise(states, labels, variances_SC, train_MS, first, observes) if shrink and futures > 1 else None
    )
    variances_SC = shrink_variances(variances_SC, None if noise is None else unseen(noise), futures)
    variances_SC = variances_SC + doubts(searched, labels)
    weights_SC = precision(costs_SC, variances_SC)
    fits = [
        fit(states, labels, costs_SC, weights_SC, train_MS, first, decay=decay, observes=observes)
        for decay in DECAYS
    ]
    fitted = [unseen(network) for network in fits]
    errors = [np.nansum(weights_SC * (costs_SC - fitted_SC) ** 2) for fitted_SC in fitted]
    best = int(np.argmin(errors))
    network, fitted_SC = fits[best], fitted[best]
    spread = _fit_error(costs_SC - fitted_SC, fitted_SC, variances_SC) if combine else None
    labelled = weigh_by_precision(labels, costs_SC, variances_SC, fitted_SC, spread)
    return Regression(network, noise, spread), labelled


def centred(searched: Sequence[Searched], labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Returns costs relative to the mean over legal choices (S, C), and their sampling variances (S, C)."""
    costs_SC = np.full((len(searched), len(labels)), np.nan)
    variances_SC = np.full_like(costs_SC, np.nan)
    for row, state in enumerate(searched):
        columns = [labels.index(choice) for choice in state.situation.choices]
        difference_CK = state.values.differences_CK
        centred_CK = difference_CK - difference_CK.mean(axis=0)
        costs_SC[row, columns] = centred_CK.mean(axis=1)
        if centred_CK.shape[1] > 1:
            variances_SC[row, columns] = centred_CK.var(axis=1, ddof=1) / centred_CK.shape[1]
    if np.isnan(variances_SC).all():
        # One future gives no variance. The mean squared cost over states, which includes signal, is a bound.
        return costs_SC, np.where(np.isnan(costs_SC), np.nan, np.nanmean(costs_SC**2, axis=0))
    return costs_SC, variances_SC


def doubts(searched: Sequence[Searched], labels: Sequence[str]) -> np.ndarray:
    """Returns a variance for each cost whose simulation was too short (S, C), in squared cost units.

    It is the square of the doubt in `Values`, for costs relative to their mean over the legal choices. It is
    0 in states whose cost differences came to rest. A doubt isn't sampling error, so it isn't shrunk. An
    infinite doubt is replaced by ten times the greatest cost difference of all states.
    """
    doubt_SC = np.zeros((len(searched), len(labels)))
    unsettled = [row for row, state in enumerate(searched) if state.values.unsettled]
    if not unsettled:
        return doubt_SC
    most = max(float(np.abs(state.values.differences_CK).max()) for state in searched)
    for row in unsettled:
        columns = [labels.index(choice) for choice in searched[row].situation.choices]
        doubt_C = np.asarray(searched[row].values.doubt_C)
        doubt_C = np.where(np.isinf(doubt_C), 10.0 * (most or 1.0), doubt_C)
        centring_CC = np.eye(len(columns)) - 1.0 / len(columns)
        doubt_SC[row, columns] = centring_CC**2 @ doubt_C**2
    return doubt_SC


def shrink_variances(variances_SC: np.ndarray, noise_SC: np.ndarray | None, futures: int) -> np.ndarray:
    """Shrinks each cost's variance towards its predicted variance (empirical Bayes).

    A state has few futures, and they can agree by chance. If rare events are expensive, a state whose futures
    have no such event has both a low cost and a low variance. Weighted by its own variance alone, it would
    have a large weight, and the rare event would look cheaper than it is. The formula is the moderated
    variance of Smyth (Stat. Appl. Genet. Mol. Biol. 3(1), 2004, section 3). Without predictions, a variance
    below the median is moved half-way to the median.

    Args:
        variances_SC: Sampling variance of each cost, from the state's own futures.
        noise_SC: Logarithm of the predicted variance, from networks that weren't trained on the state; NaN in
            states that the networks don't know, and None if there are no predictions.
        futures: Number of futures of each choice.
    """
    if futures == 1:
        return variances_SC
    if noise_SC is None:
        return np.fmax(variances_SC, 0.5 * (variances_SC + np.nanmedian(variances_SC)))
    own = futures - 1
    shrunk_SC = (PRIOR_FUTURES * np.exp(noise_SC) + own * variances_SC) / (PRIOR_FUTURES + own)
    if not np.isnan(noise_SC).any():
        return shrunk_SC
    return np.where(np.isnan(noise_SC), shrink_variances(variances_SC, None, futures), shrunk_SC)


def weigh_by_precision(
    names: Sequence[str],
    costs_SC: np.ndarray,
    variances_SC: np.ndarray,
    fitted_SC: np.ndarray,
    spread: Spread | None,
) -> Labels:
    """Returns labels with the means of simulated and fitted costs, weighted by their precision."""
    combined_SC, variance_SC = costs_SC, variances_SC
    if spread is not None:
        error_SC = spread[0] + spread[1] * fitted_SC**2
        weight_SC = error_SC / (error_SC + variances_SC)
        known_SC = np.isfinite(fitted_SC)  # elsewhere the simulated cost stands alone
        combined_SC = np.where(known_SC, weight_SC * costs_SC + (1 - weight_SC) * fitted_SC, costs_SC)
        variance_SC = np.where(known_SC, error_SC * variances_SC / (error_SC + variances_SC), variances_SC)
    best_S = np.nanargmin(combined_SC, axis=1)
    errors_SC = difference_errors(variance_SC, best_S)
    relative_SC = combined_SC - combined_SC[np.arange(len(best_S)), best_S][:, None]
    return Labels(tuple(names), relative_SC, errors_SC, costs_SC, np.sqrt(variances_SC))


def difference_errors(variance_SC: np.ndarray, best_S: np.ndarray) -> np.ndarray:
    """Returns the standard error of each cost's difference from the best choice's cost (S, C).

    Args:
        variance_SC: Error variance of each centred cost; NaN if the choice isn't legal.
        best_S: Column of the best choice.
    """
    rows = np.arange(len(best_S))
    # Errors of centred costs sum to 0; if all C are alike, any two have the correlation -1 / (C - 1).
    others_S1 = np.maximum(np.isfinite(variance_SC).sum(axis=1, keepdims=True) - 1, 1)
    best_S1 = variance_SC[rows, best_S][:, None]
    errors_SC = np.sqrt(variance_SC + best_S1 + 2 * np.sqrt(variance_SC * best_S1) / others_S1)
    errors_SC[rows, best_S] = 0.0
    return errors_SC


def _predicted(network: FittedPolicy, states: Sequence[dict]) -> np.ndarray:
    """Returns what a network predicts for each choice (S, C); NaN in states that it doesn't know."""
    known_S = np.array([network.knows(state) for state in states], dtype=bool)
    fitted_SC = np.full((len(states), len(network.labels)), np.nan)
    if known_S.any():
        known = [state for state, knows in zip(states, known_S, strict=True) if knows]
        fitted_SC[known_S] = network.costs(known)
    return fitted_SC


def _futures(searched: Sequence[Searched]) -> int:
    return searched[0].values.differences_CK.shape[1]


def _noise(
    states: Sequence[dict],
    labels: Sequence[str],
    variances_SC: np.ndarray,
    train_MS: np.ndarray,
    seed: int,
    observes: type | None,
) -> FittedPolicy:
    """Fits a regression of the variances' logarithms on the features of the state."""
    legal_SC = np.isfinite(variances_SC)
    # Equal futures have a variance of 0, which has no logarithm; nearly equal ones have a very low one.
    floor = 0.01 * float(np.mean(variances_SC[legal_SC])) or 1e-12
    raised_SC = np.fmax(variances_SC, floor)
    logs_SC = np.log(raised_SC)
    logs_SC = np.where(legal_SC, logs_SC - logs_SC[legal_SC].mean(), np.nan)
    network = fit(states, labels, logs_SC, legal_SC.astype(float), train_MS, seed, observes=observes)
    # The exponential of the mean logarithm is less than the mean (Duan: Smearing estimate, JASA 78, 1983).
    found_SC = np.exp(network.costs(states))
    level = np.log(raised_SC[legal_SC].sum() / found_SC[legal_SC].sum())
    *hidden, (weights, biases) = network.layers
    return replace(network, layers=[*hidden, (weights, biases + level / network.scale)])


def _fit_error(residual_SC: np.ndarray, fitted_SC: np.ndarray, variances_SC: np.ndarray) -> Spread:
    """Returns the regression's error variance as (a, b) in a + b cost², from residuals beyond noise."""
    legal = np.isfinite(residual_SC)
    excess = residual_SC[legal] ** 2 - variances_SC[legal]
    size = fitted_SC[legal] ** 2
    weights = 1.0 / (variances_SC[legal] + 0.05 * size)
    design = np.stack([np.ones_like(size), size], axis=1)
    solution, _ = nnls(design * weights[:, None], excess * weights)
    floor = 0.02 * float(np.median(variances_SC[legal]))
    return max(float(solution[0]), floor), float(solution[1])
