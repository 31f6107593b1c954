"""Function-style models: the same everywhere as subclasses."""

import itertools
import sys
from functools import partial
from typing import Annotated

import gymnasium
import pytest
import simpy
from gymnasium.utils.env_checker import check_env
from pydantic import Field

import simdistill
from simdistill import adapt, registry
from simdistill.adapt import charge, cost_rate, decide, draw, duration, level, poisson, process_model, tally
from simdistill.checker.check import check_simulator
from simdistill.errors import InputError, ProcessError
from simdistill.executors import simulating
from simdistill.simulation import Parameters, ProcessModel, Quantity, exponential, uniform
from simdistill.simulation.branching import what_if
from simdistill.simulation.rollout import replicate
from simdistill.simulation.situations import Episode


def desk(env, arrival_rate: Annotated[float, Field(gt=0)] = 1.0, clerks: int = 1, reward=2.0):
    """Customers arrive; each is let in or sent away."""
    clerk, inside = simpy.Resource(env, clerks), []

    def state():
        return {"arrival_rate": arrival_rate, "inside": len(inside)}

    def customer(number):
        arrived = env.now
        inside.append(number)
        cost_rate(env, "inside", len(inside))
        level(env, "in_system", len(inside))
        tally(env, "arrived", 1)
        with clerk.request() as turn:
            yield turn
            yield duration(env, "service", number, exponential(0.8))
        inside.remove(number)
        cost_rate(env, "inside", len(inside))
        level(env, "in_system", len(inside))
        tally(env, "time_in_system", env.now - arrived)

    def arrivals():
        for number in itertools.count():
            yield duration(env, "arrival", number, exponential(1 / arrival_rate))
            if (yield decide(env, "Let in?", ["in", "away"], state)) == "in":
                env.process(customer(number))
            else:
                charge(env, "sent away", reward)

    level(env, "in_system", 0)
    env.process(arrivals())


def all_in(state, choices):
    return choices[0]


Desk = process_model(desk, policies={"all_in": all_in}, cost_weights={"sent away": 3.0})


def bus(env, seats=3):
    """Three stops; how many get on at each."""
    adapt.fingerprint(env, lambda: (env.now, free[0]))
    adapt.final_cost(env, lambda: 10.0 * free[0])
    free = [seats]
    for stop in range(3):
        yield poisson(env, "travel", 1.0)
        wish = round(draw(env, "wish", stop, uniform(0, 3)))
        free[0] -= yield decide(
            env, "How many?", lambda: Quantity(0, min(free[0], 2)), lambda stop: {"stop": stop}, about=stop
        )
        tally(env, "wish", wish)


Bus = process_model(bus, max_choices=3)


def test_the_function_gives_name_description_and_parameters():
    assert Desk.__name__ == "Desk" and Desk.__doc__ == "Customers arrive; each is let in or sent away."
    assert issubclass(Desk, ProcessModel) and issubclass(Desk.Params, Parameters)
    assert Desk.parse({}).model_dump() == {"arrival_rate": 1.0, "clerks": 1, "reward": 2.0}
    with pytest.raises(InputError, match=r"Desk\.arrival_rate = -1"):
        Desk({"arrival_rate": -1.0})
    with pytest.raises(InputError, match=r"Desk\.clerks = 'two'"):
        Desk({"clerks": "two"})


def test_it_conforms():
    check_simulator(Desk)


def test_costs_are_weighted():
    model = Desk({"reward": 2.0})
    assert model.advance() is not None
    model.answer("away")
    model.advance()
    assert model.costs()["sent away"] == 2.0
    assert model.cost() == pytest.approx(6.0 + model.costs().get("inside", 0.0))


def test_a_generator_function_is_the_process_itself():
    model, states = Bus({"seats": 3}, (1,)), []
    while (decision := model.advance()) is not None:
        states.append((model.state(decision), decision.labels))
        model.answer("2")
    assert states == [({"stop": n}, labels) for n, labels in enumerate([["0", "1", "2"], *[["0", "1"]] * 2])]
    assert model.illegal_answers == 2  # "2" where one seat was left: the fallback is 0
    assert model.ended and model.final_cost() == 10.0 * 1
    assert model.fingerprint() == (model.env.now, 1)


def test_what_if_and_replications():
    situation = Episode(Desk(world=(3,))).advance()
    assert situation is not None
    values = what_if(Desk, situation, all_in, futures=20, horizon=20.0)
    assert values.mean_C[1] != 0.0
    run = partial(replicate, Desk, {}, all_in, warm_up=10.0, horizon=200.0)
    assert run((0, 1)) == run((0, 1)) != run((0, 2))
    assert run((0, 1)).measures["in_system"] > 0


@pytest.fixture
def registered(monkeypatch, own_registry):
    simdistill.register("desk", "tests.test_adapt:Desk")
    monkeypatch.setitem(sys.modules, "tests.test_adapt", sys.modules[__name__])
    yield
    gymnasium.registry.pop("simdistill/Desk-v0")


def test_it_joins_registry_and_gymnasium(registered):
    assert registry.load("simulators", "desk") is Desk
    assert registry.policies("desk") == {"all_in": all_in}
    env = gymnasium.make("simdistill/Desk-v0", arrival_rate=2.0, horizon=30.0, render_mode="ansi")
    check_env(env.unwrapped)
    assert env.reset(seed=1)[1]["state"]["arrival_rate"] == 2.0


def test_worker_processes_know_what_was_registered(tmp_path, monkeypatch, own_registry):
    (tmp_path / "tiny_shop.py").write_text(
        "from simdistill.adapt import process_model\ndef shop(env, rate=1.0): 'A shop.'\n"
        "Shop = process_model(shop)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    simdistill.register("tiny_shop", "tiny_shop:Shop")
    with simulating(2) as compute:
        described = list(compute(partial(registry.describe, "simulators"), ["tiny_shop"] * 2))
    assert described == ["A shop."] * 2


def test_what_is_said_about_a_wrong_function():
    with pytest.raises(InputError, match="parameter 'rate' of shop\\(\\) needs a default"):

        def shop(env, rate):
            pass

        process_model(shop)
    with pytest.raises(InputError, match="without \\* and /"):
        process_model(lambda env, *rates: None)
    with pytest.raises(ProcessError, match="takes no environment and makes none"):
        process_model(lambda: None)()


def test_an_environment_without_a_simulator_is_reported():
    with pytest.raises(InputError, match=r"make one with simdistill\.adapt\.process_model"):
        duration(simpy.Environment(), "service", 0, exponential(1.0))


def test_a_state_must_be_a_function():
    def shop(env):
        yield decide(env, "Sell?", ["yes", "no"], {"jobs": 0})  # type: ignore[arg-type]

    with pytest.raises(ProcessError, match=r"decide\('Sell\?'\): state must be a function"):
        process_model(shop)().advance()
