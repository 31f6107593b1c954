"""Episodes from which a teacher takes its states."""

import math
from dataclasses import dataclass

from simdistill import registry
from simdistill.config import TaskConfig
from simdistill.envs.scenarios import begin, draw
from simdistill.simulation import EPISODE, SAMPLE, Policy, ProcessModel
from simdistill.simulation.policies import with_streams
from simdistill.simulation.situations import Episode, Situation
from simdistill.simulation.streams import SeedPath, Streams


@dataclass(frozen=True)
class Failure:
    """A teaching episode that the process didn't survive; it is listed, never counted as zero."""

    seed_path: list[int]
    message: str


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


def explore(
    model: ProcessModel,
    policy: Policy,
    share: float,
    streams: Streams,
    states: int,
    between: int = 0,
    before: int = 0,
    until: float = math.inf,
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
        until: Simulated time at which a terminating task ends.
    """
    first = int(streams.uniform("explore begin", 0) * (before + 1))
    met: list[Situation] = []
    episode, policy = Episode(model), with_streams(policy, streams)
    while (situation := episode.advance(until)) is not None:
        number, choices = len(situation.actions), situation.choices
        if number >= first and (number - first) % (between + 1) == 0:
            met.append(situation)
        if len(met) == states:
            break
        label = policy(situation.state, choices)
        if streams.uniform("explore", number) < share:
            label = choices[int(streams.uniform("explore which", number) * len(choices))]
        episode.answer(label)
    return met
