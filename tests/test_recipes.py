"""The recipes of the documentation: each is a model that the check finds sound, and each can be decided."""

import importlib
import itertools
import re
from pathlib import Path

import pytest
import simpy

from simdistill import exponential
from simdistill.adapt import charge, choose, duration, process_model
from simdistill.checker.check import inspect_simulator
from simdistill.simulation import ProcessModel
from simdistill.simulation.policies import RandomPolicy
from simdistill.simulation.rollout import run_policy
from simdistill.simulation.streams import Streams

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"^```python\n(# (?P<file>\w+)\.py\n.*?)^```", flags=re.MULTILINE | re.DOTALL)
RECIPES = {
    block["file"]: block[1]
    for block in BLOCK.finditer((DOCS / "how-to" / "recipes.md").read_text(encoding="utf-8"))
}


def test_every_recipe_is_tested():
    assert len(RECIPES) == (DOCS / "how-to" / "recipes.md").read_text(encoding="utf-8").count("\n## ")


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


def test_other_resources_are_decided_on_in_the_same_way():
    names: dict = {"__name__": __name__}
    exec(RECIPES["who_is_next"].replace("(simpy.Resource)", "(simpy.PriorityResource)"), names)
    assert [problem.check for problem in inspect_simulator(names["Office"]).problems] == ["workers"]


class Shelf(simpy.Store):
    """A store whose next customer is decided on."""

    def _trigger_get(self, put_event):
        if self.items and len(self.get_queue) > 1:
            first = {get.kind: get for get in reversed(self.get_queue)}  # type: ignore[attr-defined]
            get = choose(self._env, "Who is served?", first, lambda: {"waiting": len(self.get_queue)})
            self.get_queue.remove(get)
            self.get_queue.insert(0, get)
        super()._trigger_get(put_event)


def bakery(env):
    shelf = Shelf(env)

    def customer(kind):
        get = shelf.get()
        get.kind = kind  # type: ignore[attr-defined]
        bread = yield get
        charge(env, kind, env.now - bread)

    def customers():
        for number in itertools.count():
            yield duration(env, "arrival", number, exponential(1.0))
            env.process(customer("AB"[number % 2]))

    env.process(customers())
    for number in itertools.count():
        yield duration(env, "baking", number, exponential(1.1))
        shelf.put(env.now)


def test_who_gets_the_next_item_of_a_store_is_decided_on():
    asked = process_model(bakery, chooses=True)()
    assert run_policy(asked, RandomPolicy(Streams((1,))), 300.0) > 50


def _is_model(thing) -> bool:
    return isinstance(thing, type) and issubclass(thing, ProcessModel)
