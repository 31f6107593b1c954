"""What-if search in generations: every generation improves on the policy that the one before found.

A generation visits states with the current policy, asks the simulator what each choice would cost if the
current policy went on from there, and fits a fast policy to the answers. It stands only if a paired run shows
that it is better. This is approximate policy iteration on simulated values (Temizöz, Imdahl, Dijkman,
Lamghari-Idrissi, van Jaarsveld: Deep Controlled Learning for Inventory Control, EJOR 2025).

Axes: S states, C choices, K futures, M networks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.optimize import nnls

from simdistill import registry
from simdistill.compute import Map
from simdistill.config import TaskConfig, TeacherConfig
from simdistill.errors import ProcessError
from simdistill.process import EPISODE, PLAN, SAMPLE, TRAIN, TUNE, Parameters, Policy, ProcessModel, generator
from simdistill.process.rollout import RandomPolicy, replicate, started
from simdistill.process.streams import SeedPath, Streams
from simdistill.process.whatif import Situation, Values, what_if
from simdistill.scenarios import draw
from simdistill.statistics import Interval, mean_interval
from simdistill.teachers.fitted import FittedPolicy, fit

GROUPS = 1_000_000
"""Room for the episodes of one search in the numbers of groups."""


@dataclass(frozen=True)
class Searched:
    """A situation with what the simulator says about its choices.

    Attributes:
        situation: Where the choice is made.
        values: Simulated cost differences under fresh futures.
        group: Number of the episode; its situations share their parameters.
    """

    situation: Situation
    values: Values
    group: int


@dataclass(frozen=True)
class Failure:
    """A teaching episode that the process didn't survive; it is listed, never counted as zero."""

    seed_path: list[int]
    message: str


@dataclass(frozen=True)
class Generation:
    """One step of policy improvement.

    Attributes:
        number: From 1.
        accepted: Whether the paired run shows an improvement.
        improvement: Relative cost change against the policy before, negative is better.
        states: Number of searched states.
        decisions: Simulated decisions spent.
        met: Share of futures in which all branches met.
    """

    number: int
    accepted: bool
    improvement: Interval
    states: int
    decisions: int
    met: float


@dataclass
class Labels:
    """Denoised values of searched states.

    Attributes:
        names: Labels of the choices, in the order of the columns.
        costs_SC: Cost of each choice minus the least one; NaN where it isn't legal.
        errors_SC: Standard error of each choice's cost difference to the least one.
    """

    names: tuple[str, ...]
    costs_SC: np.ndarray
    errors_SC: np.ndarray


@dataclass(frozen=True)
class SearchTeacher:
    """What-if search in generations over a base policy.

    Attributes:
        policy: The best policy found, fast enough for rollouts.
        network: The fit to the last search's values; the policy itself if the last generation stands.
        spread: The fit's own error variance as (constant, share of cost²).
        generations: What every generation brought.
        failures: Episodes that the process didn't survive.
    """

    policy: Policy
    network: FittedPolicy
    spread: tuple[float, float]
    generations: tuple[Generation, ...]
    failures: tuple[Failure, ...]

    def label(self, searched: Sequence[Searched]) -> Labels:
        """Mends the values of states that the fit hasn't seen."""
        names = self.network.labels
        costs_SC, variances_SC = centred(searched, names)
        fitted_SC = self.network.costs([s.situation.state for s in searched])
        return combine(names, costs_SC, variances_SC, fitted_SC, self.spread)


@dataclass(frozen=True)
class Lesson:
    """The searched states of the last generation, to be learned from.

    Attributes:
        searched: Situations and values.
        labels: Their denoised values.
    """

    searched: list[Searched]
    labels: Labels


def improve(
    task: TaskConfig,
    teacher: TeacherConfig,
    seed: int,
    compute: Map,
    progress: Callable[[str, int, int], None],
) -> tuple[SearchTeacher, Lesson]:
    """Searches generation after generation.

    Args:
        task: The task.
        teacher: Budgets of the search.
        seed: Root seed.
        compute: Runs simulations.
        progress: Called with a phase, how much of it is done, and how much there is.
    """
    policy: Policy = base_policy(task.simulator, teacher.base)
    generations: list[Generation] = []
    failures: list[Failure] = []
    for number in range(1, teacher.generations + 1):
        searched = search(
            task,
            teacher,
            (seed, TRAIN),
            number,
            teacher.episodes,
            policy,
            compute,
            failures,
            partial(progress, f"search, generation {number} of {teacher.generations}"),
        )
        network, labels, spread = denoise(searched, seed, number, teacher.folds)
        improvement = compare(task, teacher, seed, number, policy, network, compute)
        generations.append(
            Generation(
                number=number,
                accepted=improvement.high < 0,
                improvement=improvement,
                states=len(searched),
                decisions=sum(s.values.decisions for s in searched),
                met=float(np.mean([s.values.met_CK.mean() for s in searched])),
            )
        )
        policy = network if generations[-1].accepted else policy
    teacher_found = SearchTeacher(policy, network, spread, tuple(generations), tuple(failures))
    return teacher_found, Lesson(searched, labels)


def search(
    task: TaskConfig,
    teacher: TeacherConfig,
    root: SeedPath,
    number: int,
    episodes: int,
    policy: Policy,
    compute: Map,
    failures: list[Failure],
    progress: Callable[[int, int], None],
) -> list[Searched]:
    """Plays episodes with a policy and searches the states that they meet.

    Args:
        task: The task.
        teacher: Budgets of the search.
        root: Root seed and split.
        number: Distinguishes several searches of one split: the generation, the tuning states.
        episodes: How many to play.
        policy: Plays, and continues the branches.
        compute: Runs simulations.
        failures: Episodes that the process doesn't survive are added here.
        progress: Called with the episodes done and to be done.

    Raises:
        ProcessError: If every episode failed.
    """
    visit = partial(_search_episode, task, teacher, root, number, policy)
    searched: list[Searched] = []
    for episode, outcome in enumerate(compute(visit, range(episodes))):
        if isinstance(outcome, Failure):
            failures.append(outcome)
        else:
            searched.extend(outcome)
        progress(episode + 1, episodes)
    if not searched:
        reason = failures[-1].message if failures else "no decision was met"
        raise ProcessError(
            task.simulator, root, 0.0, f"every teaching episode failed; the last one: {reason}"
        )
    return searched


def base_policy(simulator: str, name: str) -> Policy:
    """Returns a policy of a simulator by name; `random` fits every simulator."""
    if name == "random":
        return RandomPolicy(Streams((0, TRAIN, PLAN)))
    return registry.policies(simulator)[name]


def explore(
    model: ProcessModel, policy: Policy, share: float, streams: Streams, states: int
) -> list[Situation]:
    """Runs an episode with some random decisions and returns the situations met."""
    met: list[Situation] = []
    actions: list[str] = []
    policy = started(policy, streams)
    while len(met) < states and (decision := model.advance()) is not None:
        state = model.state(decision)
        met.append(
            Situation(
                model.params, model.seed_path, tuple(actions), model.env.now, state, tuple(decision.labels)
            )
        )
        label = policy(state, decision.labels)
        if streams.uniform("explore", len(actions)) < share:
            label = decision.labels[
                int(streams.uniform("explore which", len(actions)) * len(decision.labels))
            ]
        actions.append(label)
        model.answer(label)
    return met


def teaching_episode(task: TaskConfig, root: SeedPath, number: int, episode: int) -> ProcessModel:
    """Starts an episode with drawn parameters, and drawn beginnings that lead to rarer states."""
    simulator = registry.load("simulators", task.simulator)
    parameters = task.parameters
    sample = (*root, SAMPLE, number, episode)
    params = draw(simulator, parameters.default, parameters.train, sample, parameters.starts)
    return simulator(params, (*root, EPISODE, number, episode))


def _search_episode(
    task: TaskConfig, teacher: TeacherConfig, root: SeedPath, number: int, policy: Policy, episode: int
) -> list[Searched] | Failure:
    """Plays one teaching episode and searches the situations that it meets."""
    try:
        model = teaching_episode(task, root, number, episode)
        streams = Streams((*root, PLAN, number, episode))
        met = explore(model, policy, teacher.random_actions, streams, teacher.states_per_episode)
        return search_states(task.simulator, teacher, policy, number * GROUPS + episode, met)
    except ProcessError as error:
        return Failure(list(error.seed_path), str(error))


def search_states(
    simulator: str, teacher: TeacherConfig, policy: Policy, group: int, situations: Sequence[Situation]
) -> list[Searched]:
    """Searches situations of one episode."""
    process = registry.load("simulators", simulator)
    return [
        Searched(situation, what_if(process, situation, policy, teacher.futures, teacher.horizon), group)
        for situation in situations
    ]


def denoise(
    searched: Sequence[Searched], seed: int, number: int, folds: int
) -> tuple[FittedPolicy, Labels, tuple[float, float]]:
    """Fits the values on the numbers of the state, and mends each state's own mean with the fit.

    The fit for a state comes from networks that haven't seen its episode, or where there is one episode only,
    the state (cross-fitting); both are weighted by their precision.

    Returns:
        The fitted policy, the mended values, and the fit's own error variance as (constant, share of cost²).
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
    network = fit(states, labels, costs_SC, variances_SC, train_MS, first)
    fitted_SC = network.costs_of_each(states)[fold_S, np.arange(len(states))]
    spread = _fit_error(costs_SC - fitted_SC, fitted_SC, variances_SC)
    return network, combine(labels, costs_SC, variances_SC, fitted_SC, spread), spread


def centred(searched: Sequence[Searched], labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Returns cost relative to the mean over the legal choices (S, C), and its sampling variance (S, C)."""
    costs_SC = np.full((len(searched), len(labels)), np.nan)
    variances_SC = np.full_like(costs_SC, np.nan)
    for row, state in enumerate(searched):
        columns = [labels.index(choice) for choice in state.situation.choices]
        difference_CK = state.values.differences_CK
        centred_CK = difference_CK - difference_CK.mean(axis=0)
        costs_SC[row, columns] = centred_CK.mean(axis=1)
        variances_SC[row, columns] = centred_CK.var(axis=1, ddof=1) / centred_CK.shape[1]
    # A handful of futures can agree by luck; half the typical variance is borrowed from the other states.
    typical = np.nanmedian(variances_SC)
    return costs_SC, 0.5 * (variances_SC + typical)


def combine(
    names: Sequence[str],
    costs_SC: np.ndarray,
    variances_SC: np.ndarray,
    fitted_SC: np.ndarray,
    spread: tuple[float, float],
) -> Labels:
    """Weights simulated and fitted costs by their precision; returns costs relative to the best choice."""
    error_SC = spread[0] + spread[1] * fitted_SC**2
    weight_SC = error_SC / (error_SC + variances_SC)
    mended_SC = weight_SC * costs_SC + (1 - weight_SC) * fitted_SC
    variance_SC = error_SC * variances_SC / (error_SC + variances_SC)
    best_S = np.nanargmin(mended_SC, axis=1)
    rows = np.arange(len(best_S))
    # Of two centred costs the errors are opposite (C = 2) or nearly independent; the sum of the standard
    # deviations covers both.
    errors_SC = np.sqrt(variance_SC) + np.sqrt(variance_SC[rows, best_S])[:, None]
    errors_SC[rows, best_S] = 0.0
    return Labels(tuple(names), mended_SC - mended_SC[rows, best_S][:, None], errors_SC)


def _fit_error(
    residual_SC: np.ndarray, fitted_SC: np.ndarray, variances_SC: np.ndarray
) -> tuple[float, float]:
    """Estimates the fit's error variance as a + b cost², from what noise alone doesn't explain."""
    legal = np.isfinite(residual_SC)
    excess = residual_SC[legal] ** 2 - variances_SC[legal]
    size = fitted_SC[legal] ** 2
    weights = 1.0 / (variances_SC[legal] + 0.05 * size)
    design = np.stack([np.ones_like(size), size], axis=1)
    solution, _ = nnls(design * weights[:, None], excess * weights)
    floor = 0.02 * float(np.median(variances_SC[legal]))
    return max(float(solution[0]), floor), float(solution[1])


def _paired(
    task: TaskConfig, seed: int, number: int, policies: tuple[Policy, Policy], replication: int
) -> tuple[float, float]:
    """Simulates two policies with the same drawn parameters and random numbers."""
    simulator = registry.load("simulators", task.simulator)
    params: Parameters = draw(
        simulator, task.parameters.default, task.parameters.train, (seed, TUNE, SAMPLE, number, replication)
    )
    path: SeedPath = (seed, TUNE, EPISODE, number, replication)
    before, after = (
        replicate(
            simulator, params, started(policy, Streams((*path, PLAN))), path, task.warm_up, task.horizon
        ).cost
        for policy in policies
    )
    return before, after


def compare(
    task: TaskConfig,
    teacher: TeacherConfig,
    seed: int,
    number: int,
    before: Policy,
    after: Policy,
    compute: Map,
) -> Interval:
    """Returns the relative cost change between two policies on common random numbers, with its interval."""
    pairs = list(
        compute(partial(_paired, task, seed, number, (before, after)), range(teacher.paired_replications))
    )
    costs_RP = np.array(pairs)
    return mean_interval((costs_RP[:, 1] - costs_RP[:, 0]) / costs_RP[:, 0].mean())
