"""Traces: an episode as JSON lines."""

from simdistill.simulation.event_log.log import EventLog


def jsonl(log: EventLog) -> list[dict]:
    """Returns the lines of a trace: how the episode begins, everything that happened, and how it ends."""
    begin = {
        "time": 0.0,
        "event": "begin",
        "name": log.simulator,
        "params": log.params.model_dump(mode="json"),
        "seed": list(log.path),
        "time_unit": log.time_unit,
    }
    end = {"time": log.time, "event": "end", "name": log.simulator, "cost": log.cost}
    return [begin, *(entry.as_dict() for entry in log.entries), end]
