"""What is installed: the right packages and data, and nothing else; and the commands that people are told."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import typer

import simdistill
from simdistill.cli import app
from simdistill.config import compose

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PROJECT["tool"]["setuptools"]


def folder_of(package: str) -> Path:
    return ROOT / SETUPTOOLS["package-dir"].get(package, package.replace(".", "/"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """A wheel built from a copy of the sources, so that the build leaves nothing behind."""
    source, target = tmp_path_factory.mktemp("source") / "simdistill", tmp_path_factory.mktemp("wheel")
    source.mkdir()
    for name in ("simdistill", "simulators", "tasks"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(target), str(source))
    (built,) = target.glob("*.whl")
    return built


def pip(*arguments: str) -> None:
    result = subprocess.run([sys.executable, "-m", "pip", *arguments], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_folder_with_code_is_a_listed_package():
    found = {
        str(path.parent.relative_to(ROOT)).replace("/", ".")
        for path in ROOT.glob("simdistill/**/__init__.py")
    }
    mapped = {
        name
        for name, folder in SETUPTOOLS["package-dir"].items()
        if (ROOT / folder / "__init__.py").is_file()
    }
    instances = "simdistill.simulators.known_answers.job_shop"  # a folder of data files
    assert set(SETUPTOOLS["packages"]) == {*found, *mapped, instances}
    simulators = {
        "simdistill." + str(path.parent.relative_to(ROOT)).replace("/", ".")
        for path in ROOT.glob("simulators/**/__init__.py")
    }
    assert mapped == {*simulators, "simdistill.tasks"}


def test_the_wheel_has_every_file_and_only_simdistill_on_top(wheel):
    files = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        f"{package.replace('.', '/')}/{path.name}"
        for package in SETUPTOOLS["packages"]
        for path in folder_of(package).iterdir()
        if path.is_file()
    }
    version = PROJECT["project"]["version"]
    metadata = {name for name in files if name.startswith(f"simdistill-{version}.dist-info/")}
    assert files - metadata == expected
    assert f"simdistill-{version}.dist-info/licenses/LICENSE" in metadata


def test_the_wheel_works_from_another_folder(wheel, tmp_path):
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    pip("install", "--no-deps", "--no-index", "--target", str(site), str(wheel))
    code = (
        "import simdistill, simdistill.simulators.queueing as queueing, simdistill.tasks as tasks;"
        "from simdistill.config import compose;"
        "from simdistill.registry import load;"
        "assert load('simulators', 'queueing') is queueing.Queueing;"
        "assert compose(['task=queueing'])[0].task.simulator == 'queueing';"
        "print(simdistill.__file__, queueing.__file__, tasks.__file__, sep='\\n')"
    )
    environment = os.environ | {"PYTHONPATH": str(site)}
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=elsewhere, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert all(Path(line).is_relative_to(site) for line in result.stdout.splitlines())


def test_version_and_entry_points():
    assert PROJECT["project"]["version"] == simdistill.__version__
    assert PROJECT["project"]["scripts"] == {"simdistill": "simdistill.cli:main"}


def test_the_public_surface_is_there_and_light():
    assert all(getattr(simdistill, name) is not None for name in simdistill.__all__)
    assert sorted([*simdistill.__all__, "__version__"]) == sorted(dir(simdistill))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = simdistill.nothing
    code = "import sys, simdistill; sys.exit(any(name in sys.modules for name in ('simpy', 'torch')))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def commands(text: str) -> list[str]:
    """The command lines in a Markdown text's fenced blocks, without prompts and comments."""
    blocks = re.findall(r"^```(?:sh|bash|console|shell)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    lines = [
        line.removeprefix("$ ").split(" #")[0].strip() for block in blocks for line in block.splitlines()
    ]
    return [line for line in lines if line and not line.startswith("#")]


def test_the_readme_begins_with_the_two_commands_that_are_tested():
    assert commands((ROOT / "README.md").read_text())[:2] == ["make run", "make test"]
    assert "\nmake test\n" in (ROOT / ".ci" / "run").read_text()
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_the_commands_in_the_documents_exist(document):
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    verbs = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    made = set()
    for command in commands((ROOT / document).read_text()):
        words = shlex.split(command)
        if words[:2] == ["simdistill", "new"]:
            made.add(f"task={words[2]}")
        if words[0] == "make":
            assert words[1] in targets, command
        if words[0] == "simdistill":
            assert words[1] in verbs or words[1] == "--help", command
            if words[1] in ("run", "play") and not words[2].startswith("resume=") and words[2] not in made:
                assert compose(words[2:]), command


def test_constraints_pin_the_build_of_torch():
    assert "\ntorch==2.13.0\n" in (ROOT / "constraints.txt").read_text()


def test_make_does_not_install_again_what_is_installed(tmp_path):
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv").mkdir()
    for stamp in (".installed", ".fetched"):
        (tmp_path / ".venv" / stamp).touch()
    result = subprocess.run(["make", "setup"], cwd=tmp_path, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    assert "Nothing to be done" in result.stdout
