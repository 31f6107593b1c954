"""Running a process under a policy."""

import math
import pickle
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simdistill.simulation.model import Decision, Parameters, Policy, ProcessModel
from simdistill.simulation.streams import SeedPath, Streams


class RandomPolicy:
    """Takes every legal choice equally often.

    Its draws belong to the number of the decision in the episode, so that a replay repeats them.
    """

    def __init__(self, streams: Streams):
        self._streams, self._count = streams, 0

    def started(self, streams: Streams) -> "RandomPolicy":
        """Returns the policy at the beginning of a run with the run's own random numbers."""
        return RandomPolicy(streams)

    def __call__(self, state: dict, choices: Sequence[str]) -> str:
        self._count += 1
        return choices[int(self._streams.uniform("random policy", self._count) * len(choices))]

    def tabulate(self, states: Sequence[dict], choices: Sequence[str]) -> np.ndarray:
        """Returns the probabilities of the choices in every state (S, C)."""
        return np.full((len(states), len(choices)), 1.0 / len(choices))


def started(policy: Policy, streams: Streams) -> Policy:
    """Returns a policy for one run: one that draws random numbers draws the run's own.

    A policy that decides by state and choices alone is returned as it is. Without this a policy shared by
    runs would draw by the order in which they happen to be simulated.
    """
    start = getattr(policy, "started", None)
    return policy if start is None else start(streams)


def unsendable(policies: Mapping[str, Policy]) -> list[str]:
    """Returns what is wrong with each policy that can't be sent to worker processes, and what to do."""
    found = []
    for name, policy in policies.items():
        try:
            pickle.dumps(policy)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            found.append(
                f"policy '{name}' can't be sent to worker processes ({error}); write it as a function of its "
                "module, or as functools.partial of one, or run with workers=1"
            )
    return found


@dataclass(frozen=True)
class Replication:
    """One simulated replication of a policy.

    Attributes:
        cost: Average cost per unit of time after the warm-up, or total cost of a terminating episode.
        decisions: Number of decisions taken, warm-up included.
        halves: Average cost of the first and of the second half after the warm-up; a difference that stays
            over replications tells that queues keep growing. Empty for a terminating episode.
        measures: Mean of each level over time and of each tally over observations, after the warm-up.
        time: Simulated time at the end.
        illegal_answers: How many answers the fallback replaced.
    """

    cost: float
    halves: tuple[float, ...]
    decisions: int
    measures: Mapping[str, float]
    time: float
    illegal_answers: int


def follow(
    model: ProcessModel,
    policy: Policy,
    until: float,
    record: Callable[[Decision, dict, str], None] | None = None,
) -> int:
    """Lets a policy answer every question up to a time; returns the number of decisions."""
    decisions = 0
    while (decision := model.advance(until)) is not None:
        state = model.look(decision)
        label = policy(state, decision.labels)
        if record is not None:
            record(decision, state, label)
        model.answer(label)
        decisions += 1
    return decisions


def replicate(
    simulator: type[ProcessModel],
    params: Parameters | Mapping,
    policy: Policy,
    path: SeedPath,
    warm_up: float,
    horizon: float,
    terminating: bool = False,
) -> Replication:
    """Simulates one replication, by replication/deletion or to the episode's end.

    Args:
        simulator: The process.
        params: Its parameters.
        policy: Decides.
        path: Seed path of the replication; equal paths give policies the same random numbers.
        warm_up: Simulated time whose cost is left out.
        horizon: Simulated time after the warm-up; the latest end of a terminating episode.
        terminating: Whether the total cost of an episode is asked for, and not the average over time.
    """
    game = playing(simulator(params, path), warm_up, horizon, terminating)
    try:
        state, labels = next(game)
        while True:
            state, labels = game.send(policy(state, labels))
    except StopIteration as end:
        return end.value


def playing(
    model: ProcessModel, warm_up: float, horizon: float, terminating: bool = False
) -> Generator[tuple[dict, list[str]], str, Replication]:
    """Plays a replication whose decisions come from outside: yields state and choices, is sent a choice.

    Args:
        model: At its beginning.
        warm_up: As in `replicate`.
        horizon: As in `replicate`.
        terminating: As in `replicate`.

    Returns:
        The replication, when there are no more questions.
    """
    decisions = (yield from _asking(model, warm_up)) if warm_up > 0 else 0
    before = model.totals(warm_up) if warm_up > 0 else {}
    marks = [model.cost(warm_up) if warm_up > 0 else 0.0]
    for end in (warm_up + horizon / 2, warm_up + horizon):
        decisions += yield from _asking(model, end)
        marks.append(model.cost(end))
    measures = means(before, model.totals(warm_up + horizon))
    if terminating:
        cost, halves = marks[2] - marks[0] + (model.final_cost() if model.ended else 0.0), ()
    else:
        cost = (marks[2] - marks[0]) / horizon
        halves = ((marks[1] - marks[0]) / (horizon / 2), (marks[2] - marks[1]) / (horizon / 2))
    return Replication(cost, halves, decisions, measures, model.env.now, model.illegal_answers)


def _asking(model: ProcessModel, until: float) -> Generator[tuple[dict, list[str]], str, int]:
    """Puts every question up to a time; returns how many there were."""
    decisions = 0
    while (decision := model.advance(until)) is not None:
        model.answer((yield model.look(decision), decision.labels))
        decisions += 1
    return decisions


def means(
    before: Mapping[str, tuple[float, float]], after: Mapping[str, tuple[float, float]]
) -> dict[str, float]:
    """Returns the mean of every level and tally between two `totals` of a model; NaN without observations."""
    found = {}
    for name, (total, weight) in after.items():
        total_before, weight_before = before.get(name, (0.0, 0.0))
        weight -= weight_before
        found[name] = (total - total_before) / weight if weight else math.nan
    return found
