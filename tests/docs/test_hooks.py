"""What the build of the documentation writes: all settings, all commands."""

import importlib
import json
import re
from pathlib import Path

import pytest
import typer

from simdistill.cli import app
from simdistill.config.reference import fields

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def hooks(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    return importlib.import_module("hooks")


def test_every_setting_is_told_with_its_meaning_bounds_and_default(hooks):
    told = hooks.settings()
    for field in fields():
        assert field.meaning
        (row,) = (
            line
            for line in told.splitlines()
            if line.startswith(f"| `{field.name}` |") and all(f"`{owner}`" in line for owner in field.owners)
        )
        values, default = row.strip("| ").split(" | ")[-2:]
        assert field.bounds in values
        expected = "must be given" if field.default is None else f"`{field.default}`"
        assert default.replace("\\|", "|") == expected


def test_a_setting_of_a_plug_in_names_its_owner(hooks):
    assert re.search(r"\| `method.temperature` \| .*\(only .*`grpo`", hooks.settings())


def test_defaults_are_json():
    for field in fields():
        assert field.default is None or json.loads(field.default) is not ...


def test_every_command_is_told_with_its_options(hooks):
    page = hooks.commands()
    verbs = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for name, verb in verbs.items():
        assert f"\n## `{name}`\n" in f"\n{page}"
        shown = (parameter for parameter in verb.params if not getattr(parameter, "hidden", False))
        for option in (option for parameter in shown for option in parameter.opts):
            assert not option.startswith("--") or f"`{option}`" in page


@pytest.mark.parametrize(
    ("page", "target", "path"),
    [
        ("results/words.md", "../../benchmarks/x.json", "benchmarks/x.json"),
        ("results/words.md", "../tutorial.md", None),
        ("index.md", "tutorial.md", None),
        ("index.md", "../LICENSE", "LICENSE"),
    ],
)
def test_files_outside_of_the_documentation_are_told_from_pages(hooks, page, target, path):
    assert hooks._outside(page, target) == path
