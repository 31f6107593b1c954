"""The shape of the code: which file imports which, what is at the root, how long files are."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "simdistill"
LINES = 400
ROOT_MODULES = {
    "errors",
    "files",
    "statistics",
    "registry",
    "executors",
    "progress",
    "distributed",
    "adapt",
    "rewards",
    "testing",
}
TEXTS = {".py", ".j2", ".html", ".css", ".js", ".template"}


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path for path in PACKAGE.rglob("*.py")}


def imported(path: Path) -> set[str]:
    """Full names of what a file imports, wherever in it: in functions and for types as well."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import of {node.module}"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_no_file_imports_itself_by_way_of_others():
    def module(name: str) -> str:
        while name and name not in MODULES:
            name = name.rpartition(".")[0]
        return name

    graph = {
        name: {found for other in imported(path) if (found := module(other)) not in ("", name)}
        for name, path in MODULES.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(reversed(error.args[1])))


def test_rooms_import_only_from_rooms_below():
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-logo"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_nothing_in_the_core_imports_a_simulator_or_a_task_by_name():
    outside = ("simdistill.simulators", "simdistill.tasks", "simulators", "tasks")
    found = {
        f"{module}: {name}"
        for module, path in MODULES.items()
        for name in imported(path)
        if any(f"{name}.".startswith(f"{one}.") for one in outside)
    }
    assert not found


def test_the_core_imports_public_names_from_where_they_are_defined():
    public = {
        f"{module}: {name}"
        for module, path in MODULES.items()
        if module != "simdistill"
        for name in imported(path)
        if name.startswith("simdistill.") and name.count(".") == 1 and name not in MODULES
    }
    assert not public


def test_at_most_ten_modules_are_at_the_root():
    found = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert found <= ROOT_MODULES and len(found) <= 10


def test_no_file_of_the_package_has_more_than_400_lines():
    files = [
        path for folder in (PACKAGE, ROOT / "simulators", ROOT / "tasks") for path in folder.rglob("*.*")
    ]
    long = {
        str(path.relative_to(ROOT)): lines
        for path in files
        if path.suffix in TEXTS and (lines := len(path.read_text(encoding="utf-8").splitlines())) > LINES
    }
    assert not long
