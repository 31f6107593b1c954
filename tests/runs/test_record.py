"""A run's folder: one run each, its hints can be pasted, and what it says of where it ran."""

import shlex
from concurrent.futures import ThreadPoolExecutor

import pytest

from simdistill.config import compose
from simdistill.errors import InputError
from simdistill.files import read_json
from simdistill.runs import environment
from simdistill.runs.record import Record

TOGETHER = 8


def begin(overrides: list[str]) -> Record | InputError:
    try:
        return Record.new(compose(["task=queueing", *overrides])[0])
    except InputError as error:
        return error


def together(overrides: list[str]) -> list[Record | InputError]:
    """Begins several runs in the same instant."""
    with ThreadPoolExecutor(TOGETHER) as pool:
        return list(pool.map(begin, [overrides] * TOGETHER))


def test_runs_that_start_in_the_same_instant_have_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    begun = [record.folder for record in together([]) if isinstance(record, Record)]
    assert len(set(begun)) == TOGETHER
    assert all((folder / "config.yaml").is_file() for folder in begun)


def test_of_runs_that_want_the_same_folder_one_gets_it(tmp_path):
    begun = together([f"output={tmp_path / 'run'}"])
    refused = [error for error in begun if isinstance(error, InputError)]
    assert len(refused) == TOGETHER - 1
    assert all("already holds a run" in str(error) or "in use" in str(error) for error in refused)


def test_the_hint_to_resume_can_be_pasted(tmp_path):
    folder = tmp_path / "my runs" / "it's one"
    assert isinstance(begin([f"output={folder}"]), Record)
    said = str(begin([f"output={folder}"]))
    command = said[said.index("simdistill run") :]
    assert shlex.split(command) == ["simdistill", "run", f"resume={folder}"]


def test_the_environment_says_where_simulations_ran(finished):
    assert read_json(finished / "environment.json")["compute"] == {"executor": "processes", "workers": 1}


@pytest.mark.parametrize(("system", "megabytes"), [("Linux", 3.0), ("Darwin", 3.0 / 1024)])
def test_peak_memory_knows_the_units_of_the_system(system, megabytes, monkeypatch):
    class Usage:
        ru_maxrss = 1536

    monkeypatch.setattr(environment.platform, "system", lambda: system)
    monkeypatch.setattr(environment.resource, "getrusage", lambda who: Usage)
    assert environment.peak_memory_mb() == megabytes


def test_without_the_module_resource_memory_is_told_by_psutil(monkeypatch):
    monkeypatch.setattr(environment, "resource", None)
    assert environment.peak_memory_mb() >= 0
