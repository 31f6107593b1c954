"""Models over several modules, on top of a library whose base class makes the environment."""

import importlib
import math
import pickle
import subprocess
import sys

import pytest

from simdistill.checker.apart import inspect_apart
from simdistill.checker.check import inspect_simulator
from simdistill.simulation.rollout import run_policy

LIBRARY = '''
"""A library that knows nothing of simdistill."""
import simpy

PLUG_INS = {}

def register(name):
    def add(plug_in):
        PLUG_INS[name] = plug_in
        return plug_in
    return add

class Simulation:
    def __init__(self, plug_ins=(), until=100.0):
        self.env, self.until, self.statistics = self.environment(), until, []
        self.parts = [PLUG_INS[name](self) for name in plug_ins]

    def environment(self):
        return simpy.Environment()

    def run(self):
        for part in self.parts:
            self.env.process(part.run())
        self.env.run(until=self.until / 10)
        self.statistics.clear()
        self.env.run(until=self.until)
        return self.statistics
'''
CLOCK = """
from simpy import Environment as Base

class Clock(Base):
    def hours(self):
        return self.now / 60
"""
PARTS = """
import simpy
from queue_library import register
from simdistill import exponential
from simdistill.adapt import choose, cost_rate, duration

@register("counter")
class Counter:
    def __init__(self, simulation):
        self.simulation, self.env = simulation, simulation.env
        self.tills = [simpy.Resource(self.env) for _ in range(2)]

    def lengths(self):
        return [till.count + len(till.queue) for till in self.tills]

    def rule(self):
        return choose(self.env, "Which till?", {"A": 0, "B": 1}, lambda: {"lengths": self.lengths()})

    def run(self):
        number = 0
        while True:
            yield duration(self.env, "arrival", number, exponential(1.0))
            self.env.process(self.customer(number, self.tills[self.rule()]))
            number += 1

    def customer(self, number, till):
        with till.request() as turn:
            cost_rate(self.env, "waiting", sum(len(till.queue) for till in self.tills))
            yield turn
            cost_rate(self.env, "waiting", sum(len(till.queue) for till in self.tills))
            yield duration(self.env, "service", number, exponential(1.6))
        self.simulation.statistics.append(self.env.hours())
"""
SHOP = """
import counter_parts
from own_clock import Clock
from queue_library import Simulation
from simdistill.adapt import process_model

class Shop(Simulation):
    def __init__(self, until: float = 300.0):
        super().__init__(("counter",), until)

    def environment(self):
        return Clock()

def shorter(state, choices):
    return choices[state["lengths"][0] > state["lengths"][1]]

Model = process_model(Shop, start="run", policies={"shorter": shorter})
OfLibrary = process_model(Simulation, start="run")
"""


@pytest.fixture
def shop(tmp_path, monkeypatch):
    files = {"queue_library": LIBRARY, "own_clock": CLOCK, "counter_parts": PARTS, "queue_shop": SHOP}
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("queue_shop")
    for name in files:
        del sys.modules[name]


def test_it_is_a_sound_model(shop):
    assert inspect_simulator(shop.Model).problems == ()
    model = shop.Model()
    assert run_policy(model, shop.shorter, 1e6) > 200 and model.env.now == 300.0
    assert type(model.env).__name__ == "Clock" and model.env.hours() == 5.0


def test_it_is_checked_in_a_process_of_its_own(shop):
    report = inspect_apart("queue_shop:Model", None, deterministic=False, seconds=60, until=math.inf)
    assert report.problems == () and report.unfinished == ()


def test_a_library_s_class_is_found_in_the_file_that_adapts_it(shop, tmp_path):
    assert pickle.loads(pickle.dumps(shop.OfLibrary)) is shop.OfLibrary
    sent = pickle.dumps((shop.Model, shop.Model.parse({"until": 50.0})))
    program = (
        f"import pickle, sys; sys.path.insert(0, {str(tmp_path)!r}); Model, params = pickle.loads({sent!r}); "
        "print(Model(params).advance().question)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.stdout == "Which till?\n", result.stderr
