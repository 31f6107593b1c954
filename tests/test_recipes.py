"""The recipes of the documentation: each is a model that the check finds sound, and each can be decided."""

import importlib
import re
from pathlib import Path

import pytest

from simdistill.checker.check import inspect_simulator
from simdistill.simulation import ProcessModel
from simdistill.simulation.policies import RandomPolicy
from simdistill.simulation.rollout import run_policy
from simdistill.simulation.streams import Streams

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"^```python\n(# (?P<file>\w+)\.py\n.*?)^```", flags=re.MULTILINE | re.DOTALL)
RECIPES = {
    block["file"]: block[1] for block in BLOCK.finditer((DOCS / "recipes.md").read_text(encoding="utf-8"))
}


def test_every_recipe_is_tested():
    assert len(RECIPES) == (DOCS / "recipes.md").read_text(encoding="utf-8").count("\n## ")


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_sound(name, tmp_path, monkeypatch):
    (tmp_path / f"{name}.py").write_text(RECIPES[name], encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module(name)
    (made,) = {thing for thing in vars(module).values() if _is_model(thing)}
    report = inspect_simulator(made)
    assert report.problems == () and report.unfinished == ()
    model = made()
    assert run_policy(model, RandomPolicy(Streams((1,))), 200.0) > 5 and model.cost(200.0) > 0


def _is_model(thing) -> bool:
    return isinstance(thing, type) and issubclass(thing, ProcessModel)
