"""The documentation's bank: a SimPy original, the adapted model, and one with a mistake."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from simdistill.cli import app

BANK = Path(__file__).parents[2] / "docs" / "examples" / "validate"


@pytest.fixture
def here(tmp_path, monkeypatch) -> Iterator[Path]:
    """An empty folder, which is the current one; its modules and the bank's are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if Path(getattr(module, "__file__", None) or "/nowhere").parent in (tmp_path, BANK):
            del sys.modules[name]


@pytest.fixture
def bank(here, monkeypatch) -> Path:
    """The folder of the bank, which is the current one."""
    monkeypatch.chdir(BANK)
    return BANK


@pytest.fixture
def call():
    """Calls `simdistill validate` in this process."""

    def validate(*arguments: object):
        return CliRunner().invoke(app, ["validate", *map(str, arguments), "--workers", "1"])

    return validate
