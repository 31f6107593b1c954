"""Names, what they stand for, and what is said when they stand for nothing."""

import subprocess
import sys

import pytest

import simdistill
from simdistill import registry
from simdistill.errors import InputError


@pytest.fixture(autouse=True)
def _forget(own_registry):
    """Every test registers for itself alone."""


def test_built_in_names_come_from_entry_points():
    assert "queueing" in registry.names("simulators")
    assert "search" in registry.names("teachers")
    assert "simdistill" in registry.names("methods")
    assert "smollm2-135m" in registry.names("students")


def test_every_kind_has_what_the_package_comes_with():
    assert set(registry.KINDS) == {
        "simulators", "teachers", "methods", "questions", "metrics", "students", "figures", "executors"
    }  # fmt: skip
    assert all(registry.names(kind) for kind in registry.KINDS)
    assert {"decision", "forecast"} <= set(registry.names("questions"))
    assert registry.names("executors") == ["processes", "serial"]


def test_a_simulator_is_loaded_with_its_description_and_policies():
    assert registry.load("simulators", "queueing").__name__ == "Queueing"
    assert registry.describe("simulators", "queueing").startswith("Jobs arrive one by one;")
    assert {"join_shortest_queue", "shortest_expected_delay"} <= registry.policies("queueing").keys()


def test_asking_for_names_imports_none_of_them():
    code = (
        "import sys; from simdistill import registry; [registry.names(k) for k in registry.KINDS];"
        "sys.exit(any(m.startswith(('simdistill.simulators', 'torch', 'simpy')) for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_register_goes_before_entry_points():
    simdistill.register("queueing", "collections:OrderedDict")
    assert registry.load("simulators", "queueing").__name__ == "OrderedDict"


def test_module_and_attribute_stand_for_themselves():
    assert registry.load("simulators", "collections:OrderedDict.fromkeys")("a") == {"a": None}


def test_description_goes_before_docstring(tmp_path, monkeypatch):
    (tmp_path / "described_students.py").write_text(
        "class Student:\n    'The class.'\nTINY = Student()\nTINY.description = 'This one.'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert registry.describe("students", "described_students:TINY") == "This one."
    assert registry.describe("students", "described_students:Student") == "The class."


def test_describing_reads_the_source_where_it_can(tmp_path, monkeypatch):
    (tmp_path / "heavy_students.py").write_text(
        "class Student:\n    'The class.'\nTINY = Student(description='Tiny.')\nraise RuntimeError\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert registry.describe("students", "heavy_students:TINY") == "Tiny."
    assert registry.describe("students", "heavy_students:Student") == "The class."


def test_an_unknown_name_gets_what_is_available_and_what_was_meant():
    with pytest.raises(
        InputError, match=r"^no simulator 'quueing'; available: .*; did you mean 'queueing'\?$"
    ):
        registry.load("simulators", "quueing")
    with pytest.raises(InputError, match=r"^no simulator 'xyz'; available: [^?]*$"):
        registry.load("simulators", "xyz")
    with pytest.raises(InputError, match=r"no kind 'simulator'; .* did you mean 'simulators'"):
        registry.names("simulator")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("no_such_package.clinic:Clinic", "there is no module no_such_package"),
        ("collections.nothing:Clinic", "there is no module collections.nothing"),
        ("collections:Clinic", "collections has no Clinic"),
    ],
)
def test_a_target_that_does_not_exist(target, message):
    simdistill.register("clinic", target)
    with pytest.raises(InputError, match=message):
        registry.load("simulators", "clinic")


def test_a_target_must_name_module_and_attribute():
    with pytest.raises(InputError, match="must be written module:attribute"):
        simdistill.register("clinic", "clinic.py")


def test_an_error_inside_the_target_is_not_hidden(tmp_path, monkeypatch):
    (tmp_path / "broken_model.py").write_text("import no_such_dependency\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        registry.load("simulators", "broken_model:Clinic")


def test_a_file_stands_for_its_module(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "lone_model.py").write_text("class Clinic: pass\n")
    loaded = registry.load("simulators", f"{tmp_path}/lone_model.py:Clinic")
    assert loaded.__module__ == "lone_model" and str(tmp_path) in sys.path
    monkeypatch.chdir(tmp_path)
    assert registry.load("simulators", "lone_model.py:Clinic") is loaded
    with pytest.raises(InputError, match=r"is lone_model.py:Clinics, but lone_model.py has no Clinics"):
        registry.load("simulators", "lone_model.py:Clinics")


@pytest.mark.parametrize(
    ("name", "told"),
    [("missing", "simulator 'missing.py:Clinic': there is no file .*missing.py"), ("json", "another name")],
)
def test_a_file_that_cannot_be_imported_by_its_name(tmp_path, monkeypatch, name, told):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "json.py").write_text("class Clinic: pass\n")
    with pytest.raises(InputError, match=told):
        registry.load("simulators", f"{name}.py:Clinic")
