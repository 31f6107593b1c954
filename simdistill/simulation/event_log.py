"""Event logs: an episode as a JSONL trace, or as an OCEL 2.0 or XES log for process mining.

A recorded simulator notes every decision, every change of a level or cost, every tally, and what the model
says with `self.log("service begins", job=17, server="A")`. A decision belongs to its decider and to the
entities that its `about` names as a mapping, `about={"job": 17}`. Other simulators pay nothing for it.

Simulated time becomes dates from 2000-01-01 on, one unit being what the task calls it.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from xml.sax.saxutils import quoteattr

from simdistill import registry
from simdistill.config import TaskConfig
from simdistill.errors import InputError
from simdistill.files import write_json, write_lines, write_text
from simdistill.simulation.decisions import Decision
from simdistill.simulation.model import ProcessModel
from simdistill.simulation.parameters import Parameters
from simdistill.simulation.policies import Policy, RandomPolicy, with_streams
from simdistill.simulation.rollout import run_policy
from simdistill.simulation.streams import EPISODE, PLAN, TEST, SeedPath, Streams

START = datetime(2000, 1, 1, tzinfo=UTC)
"""Date of simulated time 0."""

SECONDS: Mapping[str, float] = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 7 * 86400}
"""Seconds of a unit of time; one of any other name, as a period, counts as a day."""

PROCESS = "process"
"""Kind of the entity that every event belongs to: the process as a whole."""

XES_EXTENSIONS: Mapping[str, str] = {"concept": "Concept", "time": "Time", "org": "Organizational"}


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


class _Recording(ProcessModel):
    """Goes before a simulator's class and notes what passes through the base class's methods."""

    Params: ClassVar[Any]

    def __init__(self, *arguments: Any, **named: Any):
        self.record: list[Entry] = []
        super().__init__(*arguments, **named)

    def _note(self, event: str, name: str, values: dict, entities: dict | None = None) -> None:
        self.record.append(Entry(float(self.env.now), event, name, values, entities or {}))

    def log(self, activity: str, **entities: Any) -> None:
        self._note("activity", activity, {}, {kind: _several(which) for kind, which in entities.items()})

    def level(self, name: str, value: float) -> None:
        self._note("level", name, {"value": value})
        super().level(name, value)

    def tally(self, name: str, value: float) -> None:
        self._note("tally", name, {"value": value})
        super().tally(name, value)

    def charge(self, name: str, amount: float) -> None:
        self._note("charge", name, {"value": amount})
        super().charge(name, amount)

    def cost_rate(self, name: str, value: float) -> None:
        self._note("cost_rate", name, {"value": value})
        super().cost_rate(name, value)

    def answer(self, label: str) -> None:
        decision = self._put
        if decision is not None:
            legal = label in decision.labels
            values = {
                "choices": list(decision.labels),
                "choice": label if legal else self.fallback(decision),
                "state": self.observe_unchecked(decision),
                "cost": self.cost(),
            }
            if not legal:
                values["illegal_answer"] = str(label)
            self._note("decision", decision.question, values, _involved(decision))
        super().answer(label)


def _involved(decision: Decision) -> dict[str, list[str]]:
    about = decision.about if isinstance(decision.about, Mapping) else {}
    entities = {str(kind): _several(which) for kind, which in about.items()}
    return {**entities, "decider": [decision.decider]} if decision.decider else entities


def _several(which: Any) -> list[str]:
    return [str(one) for one in which] if isinstance(which, list | tuple | set) else [str(which)]


def recorded(simulator: type[ProcessModel]) -> type[ProcessModel]:
    """Returns the same simulator with an attribute `record` that holds the entries of the episode so far."""
    return type(simulator.__name__, (_Recording, simulator), {"__doc__": simulator.__doc__})


def follow_and_record(
    simulator: type[ProcessModel],
    params: Parameters | Mapping,
    policy: Policy,
    path: SeedPath,
    until: float = math.inf,
    time_unit: str = "minute",
) -> EventLog:
    """Plays an episode and returns its log.

    Args:
        simulator: The process.
        params: Its parameters.
        policy: Decides.
        path: Seed path of the episode.
        until: Simulated time at which it is left.
        time_unit: What one unit of simulated time is.
    """
    model: Any = recorded(simulator)(params, path)
    run_policy(model, with_streams(policy, Streams((*path, PLAN))), until)
    time = model.env.now if model.ended else until
    cost = model.cost(time) + (model.final_cost() if model.ended else 0.0)
    return EventLog(simulator.__name__, model.params, model.seed_path, model.record, cost, time, time_unit)


def of_task(task: TaskConfig, policy: str | None, seed: int) -> EventLog:
    """Plays an episode of a task's default parameters.

    Args:
        task: The task; a steady state is left after warm-up and horizon.
        policy: The simulator's policy that decides; None for the task's heuristic.
        seed: Root seed.

    Raises:
        InputError: If the simulator has no such policy.
    """
    policies = {**registry.policies(task.simulator), "random": RandomPolicy(Streams((seed,)))}
    name = policy or task.heuristic
    if name not in policies:
        raise InputError(registry.unknown("policy", name, policies))
    until = math.inf if task.kind == "terminating" else task.warm_up + task.horizon
    simulator, path = registry.load("simulators", task.simulator), (seed, TEST, EPISODE, 0)
    return follow_and_record(simulator, task.parameters.default, policies[name], path, until, task.time_unit)


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


def ocel(log: EventLog) -> dict:
    """Returns an object-centric event log (OCEL 2.0 specification, section 7, JSON).

    Decisions and activities are events, entities are objects, and levels are attributes of the process over
    time.
    """
    events, objects, types = [], {}, {}
    process = f"{PROCESS} {log.simulator}"
    for number, entry in log.happenings:
        related = {PROCESS: [log.simulator], **entry.entities}
        attributes = _attributes(log, entry)
        types.setdefault(entry.name, {}).update({name: _type(value) for name, value in attributes.items()})
        relations = [(kind, f"{kind} {which}") for kind, all_of in related.items() for which in all_of]
        for kind, identity in relations:
            objects.setdefault(
                identity, {"id": identity, "type": kind, "attributes": [], "relationships": []}
            )
        events.append(
            {
                "id": f"event {number}",
                "type": entry.name,
                "time": log.date(entry.time),
                "attributes": [{"name": name, "value": value} for name, value in attributes.items()],
                "relationships": [{"objectId": identity, "qualifier": kind} for kind, identity in relations],
            }
        )
    levels = [entry for entry in log.entries if entry.event in ("level", "cost_rate")]
    if process in objects:
        objects[process]["attributes"] = [
            {"name": entry.name, "time": log.date(entry.time), "value": float(entry.values["value"])}
            for entry in levels
        ]
    kinds = dict.fromkeys(thing["type"] for thing in objects.values())
    names = {PROCESS: dict.fromkeys(entry.name for entry in levels)}
    return {
        "objectTypes": [
            {"name": kind, "attributes": [{"name": n, "type": "float"} for n in names.get(kind, {})]}
            for kind in kinds
        ],
        "eventTypes": [
            {"name": name, "attributes": [{"name": n, "type": t} for n, t in attributes.items()]}
            for name, attributes in types.items()
        ],
        "objects": list(objects.values()),
        "events": events,
    }


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
    lines += [_xes(_type(value), name, value) for name, value in _attributes(log, entry).items()]
    return "    <event>\n" + "\n".join(lines) + "\n    </event>"


def _xes(tag: str, key: str, value: Any, indent: int = 6) -> str:
    return f"{' ' * indent}<{tag} key={quoteattr(key)} value={quoteattr(str(value))}/>"


def _attributes(log: EventLog, entry: Entry) -> dict[str, Any]:
    """What is said of an event besides its entities: flat, as logs for process mining are."""
    told = {
        name: value for name, value in entry.values.items() if name in ("choice", "cost", "illegal_answer")
    }
    if "state" in entry.values:
        told["choices"] = ", ".join(entry.values["choices"])
        told["state"] = json.dumps(entry.values["state"])
    return {log.time_unit: entry.time, **told}


def _type(value: Any) -> str:
    return "float" if isinstance(value, float) else "string"
