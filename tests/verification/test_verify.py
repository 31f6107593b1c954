"""`simdistill verify`: which cases are run, what is printed, and with which exit code it ends."""

import json
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from simdistill import executors, registry
from simdistill.cli import app
from simdistill.errors import InputError
from simdistill.verification import verify
from simdistill.verification.item import FULL, QUICK
from simdistill.verification.verdict import Estimate, Row, Verdict, judge


@pytest.fixture
def here(monkeypatch):
    """A machine with one core, on which cases run in this process."""
    monkeypatch.setattr(executors, "cores", lambda: 1)


@pytest.fixture
def written(tmp_path):
    """Writes a folder with one case of the instance that is packaged."""

    def write(makespan: float = 65, **changes) -> Path:
        instance = verify.packaged()[0].folder / "job_shop" / "ft06.txt"
        (tmp_path / "job_shop").mkdir(exist_ok=True)
        (tmp_path / "job_shop" / "mine.txt").write_text(instance.read_text())
        answer = {"measure": "makespan", "value": makespan, "tolerance": 0, "source": "recomputed"}
        case = {
            "id": "mine",
            "family": "job_shop",
            "parameters": {"instance": "job_shop/mine.txt", "optimum": 55},
            "policy": {"name": "FIFO"},
            "run": {"kind": "terminating"},
            "expected": [answer],
            **changes,
        }
        (tmp_path / "cases.json").write_text(json.dumps([case]))
        return tmp_path

    return write


def call(*arguments):
    return CliRunner().invoke(app, ["verify", *map(str, arguments)])


def test_every_packaged_case_has_a_simulator():
    selection = verify.select(None, None, quick=False)
    ids = [item.case.id for item in selection.items]
    assert len([item for item in selection.items if item.task is None]) == 100 == len(verify.packaged())
    assert selection.skipped == [] and len(ids) == len(set(ids))
    assert {item.name for item in selection.items} >= set(registry.names("simulators")) - {"new"}
    assert {item.budget for item in selection.items} == {FULL}


def test_quick_takes_chosen_cases():
    items = verify.select(None, None, quick=True).items
    chosen = {item.case.id for item in items if item.task is None and item.case.family != "job_shop"}
    assert chosen == verify.QUICK_CASES
    assert {item.budget for item in items} == {QUICK}


@pytest.mark.parametrize(
    ("name", "families"),
    [
        ("inventory", {"lost_sales", "backorders", "newsvendor"}),
        ("newsvendor", {"newsvendor"}),
        ("la01-SPT", {"job_shop"}),
    ],
)
def test_a_name_is_a_simulator_a_family_or_a_case(name, families):
    assert {item.case.family for item in verify.select(name, None, quick=False).items} == families


def test_an_unknown_name():
    with pytest.raises(InputError, match="did you mean 'inventory'"):
        verify.select("inventry", None, quick=False)


def test_cases_of_a_folder_stand_alone(written):
    folder = written()
    (item,) = verify.select(None, folder, quick=False).items
    assert (item.case.id, item.name) == ("mine", "job_shop")
    assert len(verify.select(None, folder, quick=True).items) == 1


def test_a_case_that_no_simulator_takes_is_skipped_with_a_line(written, own_registry):
    registry.register("ghost", "no.such:Ghost")
    selection = verify.select(None, written(family="teleport"), quick=False)
    assert selection.items == []
    assert any(line.startswith("ghost: can't be loaded") for line in selection.skipped)
    assert any(
        line.startswith("family teleport: no simulator has this family; cases skipped: 1")
        for line in selection.skipped
    )
    with pytest.raises(InputError, match="family teleport: no simulator has this family"):
        verify.select("teleport", written(family="teleport"), quick=False)


def test_agreement_ends_with_0_and_is_saved(here, written, tmp_path):
    result = call("--cases", written(), "--json", tmp_path / "found" / "table.json")
    assert result.exit_code == 0, result.output
    assert "mine" in result.stdout and "3 agrees" in result.stdout
    rows = json.loads((tmp_path / "found" / "table.json").read_text())
    assert rows[0]["quantity"] == "makespan" and rows[0]["simulated"]["mean"] == 65
    assert rows[0]["simulated"]["replications"] == 1 and rows[0]["source"] == "recomputed"


def test_a_disagreement_ends_with_1(here, written):
    result = call("--cases", written(makespan=66))
    assert result.exit_code == 1
    assert "1 disagrees" in result.stdout


def test_a_case_that_cannot_be_run_ends_with_1(here, written):
    result = call("--cases", written(policy={"name": "clairvoyance"}))
    assert result.exit_code == 1
    assert "failed" in result.stdout and "clairvoyance" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cases", "nowhere"], "nowhere: the folder has no files of known answers"),
        (["quueing"], "did you mean 'queueing'"),
    ],
)
def test_bad_input_ends_with_2(arguments, message):
    result = call(*arguments)
    assert result.exit_code == 2 and message in result.stderr and "Traceback" not in result.output


def test_the_table():
    rows = [
        Row("s", "a[1]", "wait", 2.0, 0.1, "exact formula", solved=2.0, simulated=Estimate(2.01, 0.01, 20)),
        Row("s", "b", "wait", 2.0, 0.0, "published", simulated=Estimate(3.0, 0.01, 20), notes=["odd"]),
        Row("s", "a[1]", "Little's law", 1.0, 0.0, "law", simulated=Estimate(1.0, 0.0, 20)),
        Row("s", "b", "Little's law", 1.0, 0.0, "law", simulated=Estimate(1.1, 0.0, 20)),
    ]
    judge(rows)
    console = Console(width=120, record=True, quiet=True)
    console.quiet = False
    with console.capture() as capture:
        verify.show(rows, console)
    text = capture.get()
    assert "a[1]" in text and "2 ± 0.1" in text and "2.01 ± 0.021" in text
    assert "Little's law, worst of 2" in text and "1.1" in text
    assert "2 agrees, 2 disagrees" in text and "b, wait: odd" in text
    assert verify.disagreements(rows) == 2 and rows[0].verdict is Verdict.AGREES


def test_the_old_name_of_the_cross_check_works_with_a_warning(here, written):
    result = call("--cases", written(), "--witness")
    assert result.exit_code == 0, result.output
    assert "--witness is now called --cross-check" in result.stderr
    assert "now called" not in call("--cases", written(), "--cross-check").stderr
