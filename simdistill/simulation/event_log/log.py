"""What an event log holds: entries in order, and the episode that they belong to."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from simdistill.simulation.parameters import Parameters
from simdistill.simulation.streams import SeedPath

START = datetime(2000, 1, 1, tzinfo=UTC)
"""Date of simulated time 0."""

SECONDS: Mapping[str, float] = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 7 * 86400}
"""Seconds of a unit of time; one of any other name, as a period, counts as a day."""

PROCESS = "process"
"""Kind of the entity that every event belongs to: the process as a whole."""


@dataclass(frozen=True)
class Entry:
    """Something that happened.

    Attributes:
        time: Simulated time.
        event: decision, activity, level, tally, charge or cost_rate.
        name: The question, the activity, or the name of the level, tally or cost.
        values: What else there is to say.
        entities: Kind -> which ones.
    """

    time: float
    event: str
    name: str
    values: Mapping[str, Any] = field(default_factory=dict)
    entities: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def as_dict(self) -> dict:
        """Returns a line of the JSONL trace."""
        entities = {"entities": dict(self.entities)} if self.entities else {}
        return {"time": self.time, "event": self.event, "name": self.name, **entities, **self.values}


@dataclass(frozen=True)
class EventLog:
    """An episode.

    Attributes:
        simulator: Name of the simulator.
        params: Its parameters.
        path: Seed path.
        entries: What happened, in order.
        cost: Total cost.
        time: Simulated time at the end.
        time_unit: What one unit of simulated time is.
    """

    simulator: str
    params: Parameters
    path: SeedPath
    entries: Sequence[Entry]
    cost: float
    time: float
    time_unit: str

    def date(self, time: float) -> str:
        """Returns a simulated time as a date in ISO 8601."""
        seconds = time * SECONDS.get(self.time_unit, SECONDS["day"])
        return (START + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    @property
    def happenings(self) -> Iterator[tuple[int, Entry]]:
        """Decisions and activities, with their numbers among all entries."""
        return ((n, e) for n, e in enumerate(self.entries) if e.event in ("decision", "activity"))


def attributes(log: EventLog, entry: Entry) -> dict[str, Any]:
    """Returns the attributes of an event besides its entities: flat, as logs for process mining are."""
    found = {
        name: value for name, value in entry.values.items() if name in ("choice", "cost", "illegal_answer")
    }
    if "state" in entry.values:
        found["choices"] = ", ".join(entry.values["choices"])
        found["state"] = json.dumps(entry.values["state"])
    return {log.time_unit: entry.time, **found}


def type_of(value: Any) -> str:
    return "float" if isinstance(value, float) else "string"
