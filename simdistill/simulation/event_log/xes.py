"""Event logs in XES."""

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import quoteattr

from simdistill.simulation.event_log.log import PROCESS, Entry, EventLog, attributes, type_of

XES_EXTENSIONS: Mapping[str, str] = {"concept": "Concept", "time": "Time", "org": "Organizational"}


def xes(log: EventLog) -> str:
    """Returns a log of traces (IEEE 1849-2016), one for each entity of the kind that has the most.

    What concerns none of them is in a trace of the process as a whole.
    """
    traces: dict[str, list[str]] = {}
    case = _case_kind(log)
    for _, entry in log.happenings:
        of_case = [f"{case} {which}" for which in entry.entities.get(case, ())]
        for name in of_case or [f"{PROCESS} {log.simulator}"]:
            traces.setdefault(name, []).append(_xes_event(log, entry))
    extensions = [
        f"  <extension name={quoteattr(name)} prefix={quoteattr(prefix)} "
        f'uri="http://www.xes-standard.org/{prefix}.xesext"/>'
        for prefix, name in XES_EXTENSIONS.items()
    ]
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            '<log xes.version="1849-2016" xes.features="" xmlns="http://www.xes-standard.org/">',
            *extensions,
            *(
                f"  <trace>\n{_xes('string', 'concept:name', name, 4)}\n" + "\n".join(events) + "\n  </trace>"
                for name, events in traces.items()
            ),
            "</log>\n",
        ]
    )


def _case_kind(log: EventLog) -> str:
    """The kind of which there are the most entities, as there are more jobs than servers."""
    seen: dict[str, set[str]] = {}
    for _, entry in log.happenings:
        for kind, all_of in entry.entities.items():
            seen.setdefault(kind, set()).update(all_of)
    return max(seen, key=lambda kind: len(seen[kind]), default=PROCESS)


def _xes_event(log: EventLog, entry: Entry) -> str:
    lines = [
        _xes("string", "concept:name", entry.name),
        _xes("date", "time:timestamp", log.date(entry.time)),
    ]
    if "decider" in entry.entities:
        lines.append(_xes("string", "org:resource", entry.entities["decider"][0]))
    lines += [_xes("string", kind, ", ".join(all_of)) for kind, all_of in entry.entities.items()]
    lines += [_xes(type_of(value), name, value) for name, value in attributes(log, entry).items()]
    return "    <event>\n" + "\n".join(lines) + "\n    </event>"


def _xes(tag: str, key: str, value: Any, indent: int = 6) -> str:
    return f"{' ' * indent}<{tag} key={quoteattr(key)} value={quoteattr(str(value))}/>"
