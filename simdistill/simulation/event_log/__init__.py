"""Event logs: an episode as a JSONL trace, or as an OCEL 2.0 or XES log for process mining.

A recorded simulator notes every decision, every change of a level or cost, every tally, and every event that
the model adds with `self.log("service begins", job=17, server="A")`. A decision belongs to its decider and to
the entities that its `about` names as a mapping, `about={"job": 17}`. Unrecorded runs pay nothing.

Simulated time becomes dates from 2000-01-01 on, one unit being what the task calls it.
"""

from pathlib import Path

from simdistill.errors import InputError
from simdistill.files import write_json, write_lines, write_text
from simdistill.simulation.event_log.jsonl import jsonl
from simdistill.simulation.event_log.log import PROCESS, SECONDS, START, Entry, EventLog
from simdistill.simulation.event_log.ocel import ocel
from simdistill.simulation.event_log.recording import follow_and_record, of_task, recorded
from simdistill.simulation.event_log.xes import xes

__all__ = [
    "PROCESS",
    "SECONDS",
    "START",
    "Entry",
    "EventLog",
    "follow_and_record",
    "jsonl",
    "ocel",
    "of_task",
    "recorded",
    "write",
    "xes",
]


def write(log: EventLog, path: Path, form: str) -> None:
    """Writes a log.

    Args:
        log: An episode.
        path: The file.
        form: jsonl, ocel (OCEL 2.0 as JSON) or xes.

    Raises:
        InputError: If the form is another one.
    """
    match form:
        case "jsonl":
            write_lines(path, jsonl(log))
        case "ocel":
            write_json(path, ocel(log))
        case "xes":
            write_text(path, xes(log))
        case _:
            raise InputError(f"no format '{form}'; there are jsonl, ocel and xes")
