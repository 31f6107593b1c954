"""Bringing a process to a decision again."""

from collections.abc import Callable, Sequence

from simdistill.errors import ProcessError
from simdistill.simulation.decisions import Decision
from simdistill.simulation.model import ProcessModel
from simdistill.simulation.parameters import Parameters
from simdistill.simulation.streams import World


def replay(
    simulator: type[ProcessModel],
    params: Parameters,
    world: World,
    actions: Sequence[str],
    look: Callable[[ProcessModel, Decision], object] = lambda model, decision: None,
) -> tuple[ProcessModel, Decision]:
    """Brings a process to the decision that follows the given answers.

    Args:
        simulator: The process.
        params: Its parameters.
        world: Where its random numbers come from.
        actions: The answers.
        look: Called at each decision before it is answered.

    Raises:
        ProcessError: If the process ends before that decision, which means that it isn't reproducible.
    """
    model = simulator(params, world)
    decision = model.advance()
    for action in actions:
        if decision is None:
            break
        look(model, decision)
        model.answer(action)
        decision = model.advance()
    if decision is None:
        raise ProcessError(
            simulator.__name__,
            world.path,
            model.env.now,
            f"the replay of {len(actions)} answers ended before their decision; does the process draw random "
            "numbers other than through rng(), duration(), poisson() and draw()?",
        )
    look(model, decision)
    return model, decision
