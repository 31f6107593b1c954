"""The state at the end of an episode, when no question waits."""

from simdistill.simulation.decisions import Decision
from simdistill.simulation.model import ProcessModel


def state_at_end(model: ProcessModel, last: Decision, now: float) -> dict:
    """Returns what `observe` shows of a process at the end of its episode.

    `observe` gets the last decision, whose `about`, `decider` and `labels` are what they were when it was
    put. Everything that `observe` reads from the process itself is as it is at the end.

    Args:
        model: The process, which has done all that happens up to `now`.
        last: The last decision of the episode.
        now: Simulated time at which the episode ends; the process's clock is put forward to it.

    Raises:
        ProcessError: If `observe` raises an error because no question waits, or returns what isn't JSON.
    """
    env = model.env
    env._now = max(env.now, now)  # as `env.run(until=now)` does, without an event
    return model.state(last)
