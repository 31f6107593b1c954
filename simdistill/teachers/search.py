"""What-if search in generations: every generation improves on the policy that the one before found.

A generation visits states with the current policy, asks the simulator what each choice would cost if the
current policy went on from there, and fits a fast policy to the answers. It stands only if a paired
comparison shows that it is better. This is approximate policy iteration on simulated values (Temizöz, Imdahl,
Dijkman, Lamghari-Idrissi, van Jaarsveld: Deep Controlled Learning for Inventory Control, EJOR 2025).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from simdistill import registry
from simdistill.config.settings import TaskConfig, TeacherConfig
from simdistill.envs.scenarios import begin, draw
from simdistill.errors import ProcessError
from simdistill.executors import Map
from simdistill.simulation import EPISODE, PLAN, SAMPLE, TRAIN, Forecast, Policy, ProcessModel
from simdistill.simulation.branching import what_if
from simdistill.simulation.outcomes import outcomes
from simdistill.simulation.policies import RandomPolicy, with_streams
from simdistill.simulation.situations import Situation
from simdistill.simulation.streams import SeedPath, Streams
from simdistill.statistics import Estimate
from simdistill.teachers.acceptance_test import compare
from simdistill.teachers.cost_to_go import Labels, Regression, Searched, denoise

GROUPS = 1_000_000
"""Room for the episodes of one search in the numbers of groups."""


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
        accepted: Whether the paired comparison shows an improvement.
        improvement: Relative cost change against the policy before, negative is better.
        states: Number of searched states.
        decisions: Simulated decisions spent.
        met: Share of futures in which all branches met.
    """

    number: int
    accepted: bool
    improvement: Estimate
    states: int
    decisions: int
    met: float


@dataclass(frozen=True)
class SearchTeacher:
    """What-if search in generations over a base policy.

    Attributes:
        policy: The best policy found, fast enough for rollouts.
        regression: The fit to the last search's values; its network is the policy itself if the last
            generation stands.
        generations: What every generation brought.
        failures: Episodes that the process didn't survive.
        demonstrates: Whether its answers are the policy's own and not the best simulated choices.
    """

    policy: Policy
    regression: Regression
    generations: tuple[Generation, ...]
    failures: tuple[Failure, ...]
    demonstrates: bool = False


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
    base: Policy = base_policy(task.simulator, teacher.base)
    policy = base
    generations: list[Generation] = []
    failures: list[Failure] = []
    for number in range(1, teacher.generations + 1):
        searched = search(
            task,
            teacher,
            (seed, TRAIN),
            number,
            teacher.scenarios,
            policy,
            compute,
            failures,
            partial(progress, f"search, generation {number} of {teacher.generations}"),
        )
        regression, labels = denoise(searched, seed, number, teacher.folds, teacher.denoise, teacher.moderate)
        regression = _elsewhere(regression, base)
        network = regression.network
        improvement = compare(task, seed, number, (policy, network), teacher.compared_sets, compute)
        generations.append(
            Generation(
                number=number,
                accepted=improvement.high < 0,
                improvement=improvement,
                states=len(searched),
                decisions=sum(s.values.decisions for s in searched),
                met=float(np.mean([s.values.coupled_CK.mean() for s in searched])),
            )
        )
        policy = network if generations[-1].accepted else policy
    teacher_found = SearchTeacher(policy, regression, tuple(generations), tuple(failures))
    return teacher_found, Lesson(searched, labels)


def demonstrate(
    task: TaskConfig,
    teacher: TeacherConfig,
    seed: int,
    compute: Map,
    progress: Callable[[str, int, int], None],
) -> tuple[SearchTeacher, Lesson]:
    """Lets a policy teach by its own choices; the simulator still says what each choice costs under it.

    Args:
        task: The task.
        teacher: Names the policy, and the budget of one search.
        seed: Root seed.
        compute: Runs simulations.
        progress: Called with a phase, how much of it is done, and how much there is.
    """
    policy = base_policy(task.simulator, teacher.played)
    failures: list[Failure] = []
    met = partial(progress, f"demonstrate {teacher.played}")
    searched = search(task, teacher, (seed, TRAIN), 1, teacher.scenarios, policy, compute, failures, met)
    regression, labels = denoise(searched, seed, 1, teacher.folds, teacher.denoise, teacher.moderate)
    regression = _elsewhere(regression, policy)
    found = SearchTeacher(policy, regression, (), tuple(failures), demonstrates=True)
    return found, Lesson(searched, labels)


def _elsewhere(regression: Regression, policy: Policy) -> Regression:
    """Leaves states of another form to a policy."""
    return replace(regression, network=replace(regression.network, elsewhere=policy))


def search(
    task: TaskConfig,
    teacher: TeacherConfig,
    root: SeedPath,
    number: int,
    scenarios: int,
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
        scenarios: How many parameters to draw.
        policy: Plays, and continues the branches.
        compute: Runs simulations.
        failures: Episodes that the process doesn't survive are added here.
        progress: Called with the scenarios done and to be done.

    Raises:
        ProcessError: If every episode failed.
    """
    visit = partial(_search_scenario, task, teacher, root, number, policy)
    searched: list[Searched] = []
    for scenario, found in enumerate(compute(visit, range(scenarios))):
        failures.extend(item for item in found if isinstance(item, Failure))
        searched.extend(item for item in found if isinstance(item, Searched))
        progress(scenario + 1, scenarios)
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
    model: ProcessModel,
    policy: Policy,
    share: float,
    streams: Streams,
    states: int,
    between: int = 0,
    before: int = 0,
) -> list[Situation]:
    """Runs an episode with some random decisions and returns situations that it meets.

    Args:
        model: At its beginning.
        policy: Decides.
        share: Share of random decisions.
        streams: Where randomness of the deciding comes from.
        states: How many situations to return.
        between: Decisions that pass between them.
        before: Up to so many decisions pass before the first of them.
    """
    first = int(streams.uniform("explore begin", 0) * (before + 1))
    met: list[Situation] = []
    actions: list[str] = []
    policy = with_streams(policy, streams)
    while (decision := model.advance()) is not None:
        state, choices = model.state(decision), tuple(decision.labels)
        if len(actions) >= first and (len(actions) - first) % (between + 1) == 0:
            met.append(
                Situation(model.params, model.seed_path, tuple(actions), model.env.now, state, choices)
            )
        if len(met) == states:
            break
        label = policy(state, choices)
        if streams.uniform("explore", len(actions)) < share:
            label = choices[int(streams.uniform("explore which", len(actions)) * len(choices))]
        actions.append(label)
        model.answer(label)
    return met


def teaching_episode(
    task: TaskConfig, root: SeedPath, number: int, scenario: int, episode: int
) -> ProcessModel:
    """Starts one episode of a scenario.

    Raises:
        ProcessError: If the process can't even be built.
    """
    simulator = registry.load("simulators", task.simulator)
    parameters = task.parameters
    sample = (*root, SAMPLE, number, scenario)
    params = draw(simulator, parameters.default, parameters.train, sample)
    begun = begin(simulator, params, parameters.starts, (*sample, episode))
    return simulator(begun, (*root, EPISODE, number, scenario, episode))


def _search_scenario(
    task: TaskConfig, teacher: TeacherConfig, root: SeedPath, number: int, policy: Policy, scenario: int
) -> list[Searched | Failure]:
    """Plays the episodes of one scenario and searches the situations that they meet."""
    found: list[Searched | Failure] = []
    for episode in range(teacher.episodes_per_scenario):
        try:
            model = teaching_episode(task, root, number, scenario, episode)
            met = explore(
                model,
                policy,
                teacher.random_actions,
                Streams((*model.seed_path, PLAN)),
                teacher.states_per_episode,
                teacher.decisions_between,
                teacher.decisions_before,
            )
            found += search_states(task.simulator, teacher, policy, number * GROUPS + scenario, met)
        except ProcessError as error:
            found.append(Failure(list(error.seed_path), str(error)))
    return found


def outcome(
    simulator: str, policy: Policy, futures: int, posed: tuple[Situation, Forecast], salt: int = 0
) -> np.ndarray:
    """Returns the bucket to which each future of a situation comes (K)."""
    situation, forecast = posed
    process = registry.load("simulators", simulator)
    return outcomes(process, situation, policy, [forecast], futures, salt)[0]


def search_states(
    simulator: str, teacher: TeacherConfig, policy: Policy, group: int, situations: Sequence[Situation]
) -> list[Searched]:
    """Searches situations that share their parameters."""
    process = registry.load("simulators", simulator)
    return [
        Searched(situation, what_if(process, situation, policy, teacher.futures, teacher.horizon), group)
        for situation in situations
    ]


def search_group(
    simulator: str, teacher: TeacherConfig, policy: Policy, group: tuple[int, Sequence[Situation]]
) -> list[Searched]:
    """Searches a numbered group of situations that share their parameters."""
    number, situations = group
    return search_states(simulator, teacher, policy, number, situations)
