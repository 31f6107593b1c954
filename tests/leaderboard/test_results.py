"""Which results count, and what is said of those that don't."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from simdistill.cli import app
from simdistill.config import fingerprint, read_yaml, save
from simdistill.errors import InputError
from simdistill.files import read_json, write_json
from simdistill.leaderboard import Cell, Protocol, board, load_protocol, read_results
from simdistill.leaderboard.page import write_page
from simdistill.runs.record import WEIGHTS

CELL = Cell("queueing", "sft", 1)
PROTOCOLS = Path(__file__).parents[2] / "benchmarks" / "protocols"


@pytest.fixture
def folder(protocol, metrics_of, tmp_path) -> Path:
    """A folder with the protocol and one result that counts."""
    write_json(tmp_path / "protocol.yaml", protocol.model_dump())  # JSON is YAML
    run = tmp_path / str(CELL)
    run.mkdir()
    save(protocol.config(CELL).model_copy(update={"threads": 3}), run / "config.yaml")
    known = {"config_sha256": fingerprint(read_yaml(run / "config.yaml"))}
    write_json(run / "metrics.json", metrics_of(CELL, 0.02) | known)
    return tmp_path


def change(folder: Path, **fields) -> None:
    """Changes fields of the result, of its only task where it has them."""
    path = folder / str(CELL) / "metrics.json"
    document = read_json(path)
    for name, value in fields.items():
        place = document["tasks"][0] if name in document["tasks"][0] else document
        place[name] = value
    path.write_text(json.dumps(document))  # NaN too, as others' writers do


def why(folder: Path, protocol: Protocol) -> str:
    """Why the only result doesn't count."""
    with pytest.raises(InputError, match=f"none of the 1 results in {folder} counts; {CELL}: ") as error:
        read_results(folder, protocol)
    return str(error.value).partition(f"{CELL}: ")[2]


def another(folder: Path, protocol: Protocol, name: str = "another") -> Path:
    """The same result under another name, made to be of another seed."""
    cell = CELL._replace(seed=2)
    shutil.copytree(folder / str(CELL), folder / name)
    path = folder / name
    save(protocol.config(cell), path / "config.yaml")
    known = {"seed": 2, "config_sha256": fingerprint(read_yaml(path / "config.yaml"))}
    write_json(path / "metrics.json", read_json(path / "metrics.json") | known)
    return path


def test_a_result_of_the_protocol_counts_whatever_its_threads(folder, protocol):
    results, refused = read_results(folder, protocol)
    assert [result.cell for result in results] == [CELL] and not refused


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"layout": 0}, "its layout is 0"),
        ({"task": "parking"}, "no task parking"),
        ({"method": "magic"}, "no method magic"),
        ({"seed": 4}, "seeds 0 to 3 of sft, not 4"),
        ({"seed": 2}, "its seed is 2, but the seed in config.yaml beside it is 1"),
        ({"seed": -1}, "invalid metrics: seed: Input should be greater than or equal to 0"),
        ({"seed": "1"}, "invalid metrics: seed: Input should be a valid integer"),
        ({"task": ["queueing"]}, "invalid metrics: tasks.0.task: Input should be a valid string"),
        ({"questions": None}, "invalid metrics: questions: "),
        ({"valid_answers": float("nan")}, "invalid metrics: tasks.0.valid_answers: "),
        ({"decisions_per_second": float("inf")}, "invalid metrics: decisions_per_second: "),
        ({"updates": []}, "invalid metrics: updates: List should have at least 1 item"),
        ({"reference": "oracle"}, "policies lack oracle"),
        ({"sha256": {}}, "invalid metrics: sha256: "),
        ({"config_sha256": 64 * "1"}, "isn't the configuration"),
        ({"questions": 257}, "trained on 257 questions, but the budget is 96 decisions and"),
        ({"states_searched": 129}, "129 states were searched for the run, but the budget is 128"),
    ],
)
def test_a_refusal_says_why(folder, protocol, fields, reason):
    change(folder, **fields)
    assert reason in why(folder, protocol)


def test_another_configuration_is_refused_field_by_field(folder, protocol):
    config = protocol.config(CELL)
    distill = config.distill.model_copy(update={"questions": 9999})
    path = folder / str(CELL) / "config.yaml"
    save(config.model_copy(update={"distill": distill}), path)
    change(folder, config_sha256=fingerprint(read_yaml(path)))
    assert why(folder, protocol) == "distill.questions is 9999, in made-up 3200"


def test_a_long_value_is_told_shortly(folder, protocol):
    config = protocol.config(CELL)
    words = config.task.language.model_copy(update={"situation": "Jobs\n" + 200 * "{{ jobs }} "})
    path = folder / str(CELL) / "config.yaml"
    written = config.task.model_copy(update={"language": words})
    save(config.model_copy(update={"tasks": [written]}), path)
    change(folder, config_sha256=fingerprint(read_yaml(path)))
    told = why(folder, protocol)
    assert (
        told.startswith("task.language.situation is Jobs {{ jobs }}") and len(told) < 200 and "\n" not in told
    )


def test_a_file_that_is_cut_off_is_refused_and_others_count(folder, protocol):
    broken = folder / "broken"
    broken.mkdir()
    (broken / "metrics.json").write_text('{"layout":')
    results, refused = read_results(folder, protocol)
    assert len(results) == 1 and "can't be read" in refused[0].reason


@pytest.mark.parametrize(
    "name", ["tasks.0.states_searched", "versions", "tasks.0.policies", "learning", "commit"]
)
def test_metrics_that_lack_a_field_are_refused(name, folder, protocol):
    path = folder / str(CELL) / "metrics.json"
    document = read_json(path)
    place = document["tasks"][0] if name.startswith("tasks.0.") else document
    place.pop(name.removeprefix("tasks.0."))
    write_json(path, document)
    assert why(folder, protocol) == f"invalid metrics: {name}: Field required"


def test_a_run_of_several_tasks_is_no_cell(folder, protocol):
    document = read_json(folder / str(CELL) / "metrics.json")
    other = document["tasks"][0] | {"task": "inventory"}
    change(folder, tasks=[document["tasks"][0], other])
    assert why(folder, protocol) == "the run has 2 tasks, but a cell has one"


def test_two_results_of_a_cell_are_both_refused(folder, protocol):
    good = another(folder, protocol, "good")
    known = read_json(good / "metrics.json")["sha256"] | {WEIGHTS: 64 * "a"}
    write_json(good / "metrics.json", read_json(good / "metrics.json") | {"sha256": known})
    shutil.copytree(folder / str(CELL), folder / "twin")
    results, refused = read_results(folder, protocol)
    assert [result.cell.seed for result in results] == [2]
    assert {one.path: one.reason for one in refused} == {
        "twin/metrics.json": f"the same cell as {CELL}; keep one",
        f"{CELL}/metrics.json": "the same cell as twin; keep one",
    }


def test_a_student_counts_for_one_seed_only(folder, protocol):
    another(folder, protocol)
    with pytest.raises(InputError, match=f"another: the same adapter as {CELL}; keep one"):
        read_results(folder, protocol)


def test_a_protocol_that_describes_no_run_is_told(folder, protocol):
    odd = Protocol.model_validate(protocol.model_dump() | {"overrides": ["distill.quesitons=3"]})
    with pytest.raises(InputError, match="quesitons"):
        read_results(folder, odd)


def test_the_verb_prints_data_and_writes_a_page(folder):
    shown = CliRunner().invoke(app, ["leaderboard", str(folder), "--json"])
    assert shown.exit_code == 0 and json.loads(shown.stdout)["claim"]["verdict"] == "not decided"
    shown = CliRunner().invoke(app, ["leaderboard", str(folder)])
    assert shown.exit_code == 0 and "Not decided" in (folder / "leaderboard.html").read_text()


def test_a_folder_without_results_ends_with_exit_code_2(folder):
    (folder / str(CELL) / "metrics.json").unlink()
    assert CliRunner().invoke(app, ["leaderboard", str(folder)]).exit_code == 2
    assert CliRunner().invoke(app, ["leaderboard", str(folder / "nowhere")]).exit_code == 2


def test_variants_of_a_method_are_told_apart_by_their_fields(metrics_of, tmp_path):
    variants = {"method": "simdistill", "seeds": 2}
    protocol = Protocol.model_validate(
        {
            "version": "variants",
            "description": "Variants.",
            "questions": 96,
            "states": 128,
            "tasks": {"queueing": []},
            "methods": {
                "simdistill": {"seeds": 2},
                "hard": variants | {"overrides": ["distill.soft=0"]},
                "patient": variants | {"overrides": ["teacher.futures=4", "distill.soft=0.5"]},
            },
        }
    )
    for cell in protocol.cells:
        run = tmp_path / str(cell)
        run.mkdir()
        save(protocol.config(cell), run / "config.yaml")
        known = {"method": "simdistill", "config_sha256": fingerprint(read_yaml(run / "config.yaml"))}
        write_json(run / "metrics.json", metrics_of(cell, 0.02) | known)
    results, refused = read_results(tmp_path, protocol)
    assert [result.cell for result in results] == protocol.cells and not refused
    assert board(protocol, results)["claim"] is None
    page = write_page(board(protocol, results), tmp_path).read_text()
    assert "Variants." in page and "patient" in page and "The claim" not in page


@pytest.mark.parametrize("name", ["cpu-v1", "cpu-v2", "gpu-v1", "ablations-v1", "batches-v1"])
def test_every_method_of_our_protocols_spends_the_same_budget(name):
    protocol = load_protocol(PROTOCOLS / f"{name}.yaml")
    protocol.check()
    assert protocol.version == name
    first = protocol.cells[: len(protocol.tasks) * len(protocol.methods)]
    assert {cell.seed for cell in first} == {0}
    assert {(cell.task, cell.method) for cell in first} == {
        (task, method) for task in protocol.tasks for method in protocol.methods
    }


@pytest.mark.parametrize("name", ["cpu-v1", "cpu-v2", "ablations-v1", "batches-v1"])
def test_the_results_that_are_kept_count(name):
    """Who changes a task or a default that the boards rest on has to run them again, or pin what it was."""
    folder = PROTOCOLS.parent / "results" / name
    protocol = load_protocol(PROTOCOLS / f"{name}.yaml")
    assert load_protocol(folder / "protocol.yaml") == protocol
    results, refused = read_results(folder, protocol)
    assert not refused and len(results) == len(list(folder.glob("*/metrics.json"))) > 0
    kept = (folder / "leaderboard.html").read_text(encoding="utf-8")
    assert f"{len(results)} of {len(protocol.cells)} runs are in" in kept


def test_a_method_beyond_the_budget_is_told():
    protocol = load_protocol(PROTOCOLS / "cpu-v1.yaml")
    for noun, update in (("questions", {"questions": 380}), ("states", {"states": 900})):
        taken = getattr(protocol, noun)
        with pytest.raises(InputError, match=f"takes {taken} {noun}, but the budget is {update[noun]}"):
            protocol.model_copy(update=update).check()


def test_a_teacher_of_the_runs_own_is_no_reference():
    protocol = load_protocol(PROTOCOLS / "cpu-v1.yaml")
    tasks = {"emergency_department": []}
    with pytest.raises(InputError, match="compared with each run's own teacher"):
        protocol.model_copy(update={"tasks": tasks}).check()


def test_seeds_are_chosen_by_cells_alone(protocol):
    with pytest.raises(ValueError, match="chosen by the cells"):
        Protocol.model_validate(protocol.model_dump() | {"overrides": ["seed=3"]})
