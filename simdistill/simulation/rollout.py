"""Running a process under a policy."""

from collections.abc import Callable, Generator, Mapping

from simdistill.simulation.decisions import Decision
from simdistill.simulation.model import ProcessModel
from simdistill.simulation.parameters import Parameters
from simdistill.simulation.policies import Policy
from simdistill.simulation.replication import Replication, means
from simdistill.simulation.streams import SeedPath


def run_policy(
    model: ProcessModel,
    policy: Policy,
    until: float,
    record: Callable[[Decision, dict, str], None] | None = None,
) -> int:
    """Lets a policy answer every question up to a time.

    Args:
        model: The process.
        policy: Decides.
        until: Simulated time at which to stop.
        record: Called with each decision, its state and the policy's label before the process goes on.

    Returns:
        The number of decisions.
    """
    decisions = 0
    while (decision := model.advance(until)) is not None:
        state = model.observe_unchecked(decision)
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
        horizon: Simulated time after the warm-up; a terminating episode ends then, if its process hasn't
            ended before.
        terminating: Whether the result is the total cost of an episode, and not the average over time.
    """
    steps = replication_steps(simulator(params, path), warm_up, horizon, terminating)
    try:
        state, labels = next(steps)
        while True:
            state, labels = steps.send(policy(state, labels))
    except StopIteration as end:
        return end.value


def replication_steps(
    model: ProcessModel, warm_up: float, horizon: float, terminating: bool = False
) -> Generator[tuple[dict, list[str]], str, Replication]:
    """Yields the state and the choices of each decision of a replication, and is sent the choice taken.

    Many replications can be run in step like this, so that a slow policy decides in all of them at once.

    Args:
        model: At its beginning.
        warm_up: As in `replicate`.
        horizon: As in `replicate`.
        terminating: As in `replicate`.

    Returns:
        The replication, after the last decision.
    """
    decisions = (yield from _decisions(model, warm_up)) if warm_up > 0 else 0
    before = model.totals(warm_up) if warm_up > 0 else {}
    marks = [model.cost(warm_up) if warm_up > 0 else 0.0]
    for end in (warm_up + horizon / 2, warm_up + horizon):
        decisions += yield from _decisions(model, end)
        marks.append(model.cost(end))
    measures = means(before, model.totals(warm_up + horizon))
    if terminating:
        cost, halves = marks[2] - marks[0] + model.finish(warm_up + horizon), ()
    else:
        cost = (marks[2] - marks[0]) / horizon
        halves = ((marks[1] - marks[0]) / (horizon / 2), (marks[2] - marks[1]) / (horizon / 2))
    return Replication(cost, halves, decisions, measures, model.env.now, model.illegal_answers)


def _decisions(model: ProcessModel, until: float) -> Generator[tuple[dict, list[str]], str, int]:
    """Yields every decision up to a time; returns how many there were."""
    decisions = 0
    while (decision := model.advance(until)) is not None:
        model.answer((yield model.observe_unchecked(decision), decision.labels))
        decisions += 1
    return decisions
