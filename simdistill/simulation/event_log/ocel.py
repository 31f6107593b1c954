"""Object-centric event logs."""

from simdistill.simulation.event_log.log import PROCESS, EventLog, attributes, type_of


def ocel(log: EventLog) -> dict:
    """Returns an object-centric event log (OCEL 2.0 specification, section 7, JSON).

    Decisions and activities are events, entities are objects, and levels are attributes of the process over
    time.
    """
    events, objects, types = [], {}, {}
    process = f"{PROCESS} {log.simulator}"
    for number, entry in log.happenings:
        related = {PROCESS: [log.simulator], **entry.entities}
        values = attributes(log, entry)
        types.setdefault(entry.name, {}).update({name: type_of(value) for name, value in values.items()})
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
                "attributes": [{"name": name, "value": value} for name, value in values.items()],
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
