"""Pages of the documentation: their code runs, their commands exist, their figures are drawn."""

import importlib
import os
import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import typer

from simdistill import registry
from simdistill.cli import app
from simdistill.config import compose

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("**/*.md"))
TESTED_ELSEWHERE = {"tutorial.md", "bring-your-model.md", "distributions.md", "recipes.md", "validate.md"}
OF_A_PACKAGE = ("own-teacher", "own-method", "cluster")
"""Guides whose code is that of the package in tests/plugins/ferries."""
FIGURE = re.compile(r"!\[[^\]]+\]\((?:\.\./)?figures/([\w-]+)\.svg\)")
WITHOUT_FIGURE = {"index", "verification", "strangers"}
EXPERIMENTS = [page for page in (DOCS / "results").glob("*.md") if page.stem != "index"]


def blocks(page: Path) -> list[tuple[str, str]]:
    """The fenced blocks of a page: language and text."""
    text = page.read_text(encoding="utf-8")
    return re.findall(r"^```(\w+)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def runs() -> list:
    """Code that is followed by its output."""
    return [
        pytest.param(code, output, id=f"{page.stem}-{number}")
        for page in PAGES
        if page.name not in TESTED_ELSEWHERE
        for number, ((kind, code), (following, output)) in enumerate(pairwise(blocks(page)))
        if (kind, following) == ("python", "text")
    ]


@pytest.mark.parametrize(("code", "output"), runs())
def test_code_prints_what_stands_below_it(code, output, tmp_path):
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, encoding="utf-8"
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == output


@pytest.mark.parametrize("name", OF_A_PACKAGE)
def test_code_of_a_guide_is_that_of_the_tested_package(name):
    sources = [
        path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "plugins" / "ferries").rglob("*.py")
    ]
    shown = [code for kind, code in blocks(DOCS / "how-to" / f"{name}.md") if kind == "python"]
    assert shown
    for code in shown:
        assert any(code in source for source in sources), code


def commands(page: Path) -> list[list[str]]:
    """The words of the commands on a page, where lines that end in a backslash go on."""
    text = "".join(code.replace("\\\n", " ") for kind, code in blocks(page) if kind == "sh")
    return [shlex.split(line) for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_commands_exist(page):
    verbs = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for program, *words in commands(page):
        if program == "simdistill":
            assert words[0] in verbs, words
            if words[0] in ("run", "play") and not _about_other_files(words[1:]):
                assert compose(words[1:])
        if program == "python":
            assert (ROOT / words[0]).is_file() or list(DOCS.glob(f"examples/**/{words[0]}")), words
        if program == "make":
            assert f"\n{words[0]}:" in (ROOT / "Makefile").read_text(encoding="utf-8")


def _about_other_files(words: list[str]) -> bool:
    """Whether a command is about a run's folder, or about a task of the examples."""
    examples = {f"task={path.stem}" for path in DOCS.glob("examples/**/tasks/*.yaml")}
    return words[0].startswith("resume=") or words[0] in examples or any("RUN" in word for word in words)


@pytest.mark.parametrize("page", EXPERIMENTS, ids=lambda page: page.stem)
def test_an_experiment_has_all_its_parts(page):
    text = page.read_text(encoding="utf-8")
    for part in ("**Question.**", "**Set-up.**", "**What follows.**", "```sh\n", "\n| "):
        assert part in text, part
    assert "**Answer.**" in text or page.stem == "search"
    assert len(FIGURE.findall(text)) == (page.stem not in WITHOUT_FIGURE)


def test_every_experiment_is_listed():
    listed = set(
        re.findall(
            r"^\| \[[^\]]+\]\(([\w-]+)\.md\)", (DOCS / "results" / "index.md").read_text(), re.MULTILINE
        )
    )
    assert listed == {page.stem for page in EXPERIMENTS}


def test_every_method_is_listed():
    text = (DOCS / "reference" / "methods.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE)) == set(registry.names("methods"))


@pytest.fixture
def figures(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("figures")


def test_the_command_draws_every_figure(figures, monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.import_module("drawing"), "FOLDER", tmp_path)
    figures.main()
    shown = {name for page in PAGES for name in FIGURE.findall(page.read_text(encoding="utf-8"))}
    kept = {path.stem for path in (DOCS / "figures").glob("*.svg")}
    assert shown == {path.stem for path in tmp_path.glob("*.svg")} == kept
