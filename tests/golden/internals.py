"""All that the golden tests import from inside the package, so that a moved module changes this file alone.

Everything else goes through the command line, the files of a run's folder and Gymnasium.
"""

from typing import Any

from simdistill import registry
from simdistill.simulation.branching import Situation, what_if
from simdistill.simulation.model import Policy
from simdistill.simulation.policies import RandomPolicy
from simdistill.simulation.rollout import replicate
from simdistill.simulation.streams import Streams, generator


def policies(simulator: str) -> list[str]:
    """Returns the names of a simulator's policies, and `random`."""
    return [*registry.policies(simulator), "random"]


def replication(
    simulator: str, policy: str, path: tuple[int, ...], warm_up: float, horizon: float, terminating: bool
) -> dict[str, Any]:
    """Returns what one replication with the simulator's own parameters came to."""
    process = registry.load("simulators", simulator)
    found = replicate(process, {}, _policy(simulator, policy), path, warm_up, horizon, terminating)
    return {
        "cost": found.cost,
        "halves": list(found.halves),
        "decisions": found.decisions,
        "measures": dict(found.measures),
        "time": found.time,
        "illegal_answers": found.illegal_answers,
    }


def values(
    simulator: str, policy: str, path: tuple[int, ...], decisions: int, futures: int, horizon: float
) -> dict[str, Any]:
    """Returns what each choice costs at the decision that follows so many of a policy's."""
    process = registry.load("simulators", simulator)
    decide = _policy(simulator, policy)
    model = process(process.parse({}), path)
    decision, actions = model.advance(), []
    for _ in range(decisions):
        actions.append(decide(model.state(decision), decision.labels))
        model.answer(actions[-1])
        decision = model.advance()
    state, choices = model.state(decision), tuple(decision.labels)
    situation = Situation(model.params, path, tuple(actions), model.env.now, state, choices)
    found = what_if(process, situation, decide, futures, horizon)
    return {
        "actions": actions,
        "time": situation.time,
        "state": state,
        "choices": list(choices),
        "base": found.base,
        "differences": found.differences_CK.tolist(),
        "met": found.coupled_CK.tolist(),
        "horizon": found.horizon,
        "decisions": found.decisions,
    }


def uniforms(path: tuple[int, ...], source: str, entities: list[int], visit: int) -> list[float]:
    """Returns the numbers of a keyed stream that belong to some entities."""
    streams = Streams(path)
    return [streams.uniform(source, entity, visit) for entity in entities]


def generated(path: tuple[int, ...], count: int) -> list[float]:
    """Returns the first numbers of the generator at a seed path."""
    return generator(path).random(count).tolist()


def _policy(simulator: str, name: str) -> Policy:
    if name == "random":
        return RandomPolicy(Streams((0,)))
    return registry.policies(simulator)[name]
