"""Event logs: traces, and OCEL 2.0 and XES logs as pm4py reads them."""

import json
import warnings
from pathlib import Path

import pytest
from typer.testing import CliRunner

from simdistill.cli import app
from simdistill.config import compose
from simdistill.errors import InputError
from simdistill.simulation import Parameters, ProcessModel, deterministic
from simdistill.simulation.event_log import (
    EventLog,
    follow_and_record,
    jsonl,
    ocel,
    of_task,
    recorded,
    write,
    xes,
)
from simdistill.simulation.rollout import run_policy


class Clinic(ProcessModel):
    """Two patients; each is sent to a room and treated there."""

    class Params(Parameters):
        minutes: float = 5.0

    def build(self):
        self.level("in_system", 0)
        self.env.process(self.patients())

    def patients(self):
        for patient in range(2):
            yield self.duration("arrival", patient, deterministic(self.params.minutes))
            self.log("arrival", patient=patient)
            self.level("in_system", 1)
            room = yield self.decide(
                "Which room?", ["left & first", "right"], about={"patient": patient}, decider="nurse"
            )
            self.charge("fee", 2.0)
            yield self.duration("care", patient, deterministic(1.5))
            self.log("treatment", patient=patient, room=room, doctor=["Ann", "Bo"])
            self.tally("time_in_system", 1.5)
            self.level("in_system", 0)

    def observe(self, decision):
        return {"patient": decision.about["patient"]}

    def final_cost(self):
        return 1.0


def first(state, choices):
    return choices[0]


@pytest.fixture
def log() -> EventLog:
    return follow_and_record(Clinic, {}, first, (0, 1))


@pytest.fixture
def pm4py():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield pytest.importorskip("pm4py")


def test_what_is_recorded(log):
    assert [(entry.time, entry.event, entry.name) for entry in log.entries[:6]] == [
        (0.0, "level", "in_system"),
        (5.0, "activity", "arrival"),
        (5.0, "level", "in_system"),
        (5.0, "decision", "Which room?"),
        (5.0, "charge", "fee"),
        (6.5, "activity", "treatment"),
    ]
    decision = log.entries[3]
    assert decision.entities == {"patient": ["0"], "decider": ["nurse"]}
    assert decision.values == {
        "choices": ["left & first", "right"],
        "choice": "left & first",
        "state": {"patient": 0},
        "cost": 0.0,
    }
    assert (log.cost, log.time, log.simulator) == (5.0, 13.0, "Clinic")


def objects(log: EventLog) -> dict[str, int]:
    """How many objects of each type an OCEL has; all relationships lead to one of them."""
    found = ocel(log)
    names = {thing["id"] for thing in found["objects"]}
    related = [relation["objectId"] for event in found["events"] for relation in event["relationships"]]
    assert set(related) == names
    kinds = [thing["type"] for thing in found["objects"]]
    assert {kind["name"] for kind in found["objectTypes"]} == set(kinds)
    return {kind: kinds.count(kind) for kind in kinds}


def test_a_job_shops_log_has_jobs_and_machines():
    log = of_task(compose(["task=job_shop"])[0].task, None, 0)
    assert objects(log) == {"process": 1, "job": 6, "machine": 4}
    done = [entry for entry in log.entries if entry.event == "activity"]
    for name, count in (
        ("job arrives", 24),
        ("operation begins", 24),
        ("operation ends", 24),
        ("job is done", 6),
    ):
        assert sum(entry.name == name for entry in done) == count
    machine = dict[str, str]()
    for entry in done:  # a machine works on one job at a time
        if entry.name.startswith("operation"):
            (at,), (job,) = entry.entities["machine"], entry.entities["job"]
            assert machine.pop(at, job) == job
            if entry.name == "operation begins":
                machine[at] = job
    assert max(entry.time for entry in done) == log.time == log.cost
    assert all("machine" in entry.entities for entry in log.entries if entry.event == "decision")


@pytest.mark.parametrize("lead_time", [0, 2])
def test_an_inventorys_log_has_orders_a_product_and_a_supplier(lead_time):
    fields = [
        "task=inventory",
        "task.warm_up=0",
        "task.horizon=20",
        f"task.parameters.default.lead_time={lead_time}",
    ]
    log = of_task(compose(fields)[0].task, "constant", 0)
    found = objects(log)
    orders = found.pop("order")
    assert found == {"process": 1, "product": 1, "supplier": 1}
    times = {"order is placed": dict[str, float](), "order arrives": dict[str, float]()}
    for entry in log.entries:
        if entry.name in times:
            times[entry.name][entry.entities["order"][0]] = entry.time
    placed, arrived = times.values()
    assert len(placed) == orders > 10 and len(arrived) >= orders - lead_time - 1
    assert all(time - placed[order] == lead_time for order, time in arrived.items())


LOGS = {
    "admission": ({"job"}, {"departure"}),
    "queueing_slow_server": ({"job", "server"}, {"service begins", "departure"}),
    "scheduling": (
        {"job", "server", "class"},
        {"job arrives", "job joins a class", "service ends", "job leaves"},
    ),
    "supply_chain": (
        {"stage", "order", "shipment"},
        {"demand", "order is placed", "shipment is sent", "shipment arrives"},
    ),
}
"""Task -> kinds of objects, and activities, in its log."""


@pytest.mark.parametrize("task", LOGS)
def test_logs_have_objects_that_go_through_the_process(task):
    log = of_task(compose([f"task={task}", "task.warm_up=0", "task.horizon=60"])[0].task, None, 0)
    kinds, activities = LOGS[task]
    assert set(objects(log)) == {"process", *kinds}
    happened = [entry for _, entry in log.happenings]
    assert {entry.name for entry in happened if entry.event == "activity"} == activities
    assert all(entry.entities for entry in happened), "decisions have objects as well"
    gone: set[str] = set()
    for entry in happened:
        mine = set(entry.entities.get("job" if "job" in kinds else "shipment", ()))
        assert not mine & gone, "nothing happens to what has left"
        gone |= mine if entry.name in ("departure", "job leaves", "shipment arrives") else set()
    assert len(gone) > 10


def test_shipments_arrive_after_their_lead_time():
    task = compose(["task=supply_chain", "task.warm_up=0", "task.horizon=60"])[0].task
    log, sent, arrived = of_task(task, None, 0), {}, 0
    for _, entry in log.happenings:
        if entry.name == "shipment is sent":
            sent[entry.entities["shipment"][0]] = entry.time
        elif entry.name == "shipment arrives" and entry.entities["shipment"][0] in sent:
            (stage,) = entry.entities["stage"]
            assert (
                entry.time - sent[entry.entities["shipment"][0]]
                == log.params.model_dump()["lead_times"][int(stage)]
            )
            arrived += 1
    assert arrived > 100


def test_recording_changes_nothing_and_costs_others_nothing():
    runs = [simulator({}, (0, 1)) for simulator in (Clinic, recorded(Clinic))]
    for model in runs:
        run_policy(model, first, 100.0)
    assert runs[0].totals() == runs[1].totals() and runs[0].cost() == runs[1].cost()
    assert not hasattr(runs[0], "record")
    assert recorded(Clinic).__name__ == "Clinic"


def test_an_illegal_answer_is_reported():
    log = follow_and_record(Clinic, {}, lambda state, choices: "attic", (0, 1))
    (decision, _) = [entry for entry in log.entries if entry.event == "decision"]
    assert decision.values["illegal_answer"] == "attic" and decision.values["choice"] == "left & first"


def test_a_trace_is_json_lines(log, tmp_path):
    write(log, tmp_path / "log.jsonl", "jsonl")
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines == json.loads(json.dumps(jsonl(log)))
    assert (lines[0]["event"], lines[0]["params"], lines[0]["seed"]) == ("begin", {"minutes": 5.0}, [0, 1])
    assert (lines[-1]["event"], lines[-1]["cost"]) == ("end", 5.0)
    assert len(lines) == len(log.entries) + 2


def test_pm4py_reads_the_ocel(log, tmp_path, pm4py):
    path = tmp_path / "log.jsonocel"
    write(log, path, "ocel")
    found = pm4py.read_ocel2_json(str(path))
    assert sorted(found.events["ocel:activity"]) == sorted(["arrival", "Which room?", "treatment"] * 2)
    kinds = found.objects["ocel:type"].value_counts().to_dict()
    assert kinds == {"patient": 2, "doctor": 2, "room": 1, "decider": 1, "process": 1}
    treated = found.relations[found.relations["ocel:activity"] == "treatment"]
    assert set(treated["ocel:oid"]) >= {"patient 0", "patient 1", "doctor Ann", "doctor Bo"}
    assert str(found.events["ocel:timestamp"].min()) == "2000-01-01 00:05:00+00:00"
    assert "in_system" in found.object_changes.columns
    net = pm4py.discover_ocdfg(found)
    assert "patient" in net["object_types"]


def test_pm4py_reads_the_xes(log, tmp_path, pm4py):
    path = tmp_path / "log.xes"
    write(log, path, "xes")
    found = pm4py.read_xes(str(path))
    cases = found.groupby("case:concept:name")["concept:name"].apply(list).to_dict()
    told = ["arrival", "Which room?", "treatment"]
    assert cases == {"patient 0": told, "patient 1": told}
    assert set(found["choice"].dropna()) == {"left & first"}
    assert set(found["org:resource"].dropna()) == {"nurse"}
    graph, begin, end = pm4py.discover_dfg(found)
    assert graph[("arrival", "Which room?")] == 2 and begin == {"arrival": 2} and end == {"treatment": 2}


def test_a_process_without_entities_is_one_trace(tmp_path, pm4py):
    task = compose(["task=queueing", "task.warm_up=0", "task.horizon=20"])[0].task
    log = of_task(task, None, 0)
    decisions = sum(entry.event == "decision" for entry in log.entries)
    assert decisions > 20 and log.time == 20.0
    assert sum(len(trace) for trace in ocel(log)["events"]) > 0
    write(log, tmp_path / "log.xes", "xes")
    assert len(pm4py.read_xes(str(tmp_path / "log.xes"))) >= decisions


@pytest.mark.parametrize(
    ("unit", "date"), [("hour", "05:00:00"), ("minute", "00:05:00"), ("second", "00:00:05")]
)
def test_simulated_time_becomes_dates(unit, date):
    log = follow_and_record(Clinic, {}, first, (0, 1), time_unit=unit)
    assert log.date(5.0) == f"2000-01-01T{date}.000Z"
    assert follow_and_record(Clinic, {}, first, (0, 1), time_unit="period").date(1.0).startswith("2000-01-02")


def test_an_entity_of_several_traces_is_in_each():
    assert xes(follow_and_record(Clinic, {}, first, (0, 1))).count("<trace>") == 2


def test_unknown_formats_and_policies(log, tmp_path):
    with pytest.raises(InputError, match="no format 'csv'; there are jsonl, ocel and xes"):
        write(log, Path(tmp_path / "log.csv"), "csv")
    task = compose(["task=queueing"])[0].task
    with pytest.raises(InputError, match="no policy 'join_shortest_que'"):
        of_task(task, "join_shortest_que", 0)


def call(*arguments):
    return CliRunner().invoke(app, ["trace", *map(str, arguments)])


def test_the_verb_writes_a_log(tmp_path):
    path = tmp_path / "logs" / "queueing.jsonl"
    settings = ("task=queueing", "task.warm_up=0", "task.horizon=20", "seed=3")
    result = call(*settings, "-o", path, "--policy", "random")
    assert result.exit_code == 0, result.output
    assert "entries until minute 20" in result.stdout
    assert json.loads(path.read_text().splitlines()[0])["seed"][0] == 3


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["task=queueing"], "trace needs a file to write to: -o FILE"),
        (["task=queueing", "seed=0,1", "-o", "x"], "not 2 runs"),
        (["task=queueing", "-o", "x", "--policy", "best"], "no policy 'best'"),
    ],
)
def test_the_verb_tells_what_is_wrong(arguments, told):
    result = call(*arguments)
    assert result.exit_code == 2 and told in result.stderr
