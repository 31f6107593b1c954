"""Folders of older layouts are read as they are; those of later versions are refused."""

import importlib
import sys
from pathlib import Path

import pytest

from simdistill.config import compose
from simdistill.errors import InputError
from simdistill.files import read_json, write_json
from simdistill.runs.layout import LAYOUT, Layout
from simdistill.runs.record import Record

GOLDEN = Path(__file__).parents[1] / "golden"


sys.path.append(str(GOLDEN))
golden = importlib.import_module("record")  # makes and unpacks golden runs


@pytest.fixture(scope="module")
def old(tmp_path_factory) -> Path:
    """The folder of a finished run of layout 1, beside its student."""
    work = tmp_path_factory.mktemp("old")
    golden.make_student(work / "student")
    return golden.unpack_old_run(work, "finished")


def test_a_new_folder_has_the_number_of_its_layout(tmp_path):
    record = Record.new(compose(["task=queueing", f"output={tmp_path / 'run'}"])[0])
    assert Layout.of(record.folder) == record.layout == Layout(record.folder, LAYOUT)


def test_a_folder_of_a_later_version_is_refused_with_its_layout(tmp_path):
    record = Record.new(compose(["task=queueing", f"output={tmp_path / 'run'}"])[0])
    write_json(record.layout.training / "layout.json", {"layout": LAYOUT + 9})
    with pytest.raises(InputError, match=rf"layout {LAYOUT + 9}; this version of simdistill knows 1"):
        Record.of(record.folder)


def test_no_two_files_have_the_same_place(tmp_path):
    for number in (1, 2):
        layout = Layout(tmp_path, number)
        names = [name for name, what in vars(Layout).items() if isinstance(what, property)]
        paths = [getattr(layout, name) for name in names] + [layout.lesson("queueing")]
        assert len(set(paths)) == len(paths) and all(tmp_path in path.parents for path in paths)


def test_all_files_of_an_old_run_are_where_its_layout_says(old):
    layout = Layout.of(old)
    assert layout.number == 1
    for path in (layout.questions, layout.taught, layout.validation, layout.trained, layout.spent):
        assert path.is_file(), path
    assert layout.lesson("queueing").is_file() and layout.adapter.is_dir()


@pytest.mark.slow
def test_an_old_run_is_reported_and_exported(old):
    for verb in ("report", "export"):
        done = golden.call(old.parent, verb, old.name)
        assert done.returncode == 0, done.stderr
    assert "<html" in (old / "report.html").read_text()
    assert read_json(old / "export" / "model" / "config.json")["num_hidden_layers"] == 2


@pytest.mark.slow
def test_an_old_run_is_served(old, monkeypatch):
    from simdistill.serving.service import Service

    monkeypatch.chdir(old.parent)
    Service(old).close()
