"""Observations of states that hold texts, missing values and lists of varying length."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env

from simdistill import registry
from simdistill.envs.registration import environment_id
from simdistill.envs.simulator_env import SimulatorEnv
from simdistill.errors import InputError
from simdistill.simulation import ProcessModel, exponential
from simdistill.simulation.forms import Words

KINDS = ("red", "blue")


class Triage(ProcessModel):
    """Patients with a kind, a due time or none, and a queue behind them."""

    def build(self):
        self.number, self.queue = 0, []
        self.env.process(self.patients())

    def patients(self):
        while True:
            yield self.duration("arrival", self.number, exponential(1.0))
            self.number += 1
            if self.number % 4 == 0:
                self.queue.clear()
            if (yield self.decide("Treat?", ["now", "later"])) == "later":
                self.queue.append({"kind": KINDS[self.number % 2], "since": self.number})

    def observe(self, decision):
        return {
            "kind": KINDS[self.number % 2],
            "due": None if self.number % 3 else 1.5,
            "open": True,
            "queue": list(self.queue),
        }


class Letters(Triage):
    def observe(self, decision):
        return {"name": f"patient {self.number}", "n": self.number}


class Turns(Triage):
    def observe(self, decision):
        return {"kind": KINDS[self.number % 2] if self.number < 300 else 7}


def play(env, steps=30):
    observation, info = env.reset(seed=1)
    yield observation, info
    for number in range(steps):
        observation, *_, info = env.step(number % 2)
        yield observation, info


def test_texts_missing_values_and_lists_are_all_in_the_observation():
    env = SimulatorEnv(Triage)
    space = env.observation_space
    assert isinstance(space, spaces.Dict) and list(space) == ["kind", "due", "open", "queue"]
    assert space["kind"] == spaces.Discrete(3)
    assert isinstance(space["due"], spaces.Dict) and isinstance(space["queue"], spaces.Sequence)
    lengths = set()
    for observation, info in play(env):
        state = info["state"]
        assert space.contains(observation)
        assert observation["kind"] == sorted(KINDS).index(state["kind"])
        assert observation["due"]["given"] == (state["due"] is not None)
        assert observation["due"]["value"].tolist() == [state["due"] or 0.0]
        assert [one["since"].item() for one in observation["queue"]] == [
            one["since"] for one in state["queue"]
        ]
        lengths.add(len(observation["queue"]))
    assert len(lengths) > 1


def test_a_flat_observation_tells_them_apart_too():
    env = SimulatorEnv(Triage, flat=True)
    assert isinstance(env.observation_space, spaces.Box)
    for observation, info in play(env):
        state = info["state"]
        assert observation[:3].tolist() == [state["kind"] == "blue", state["kind"] == "red", False]
        assert observation[3:5].tolist() == [state["due"] is not None, state["due"] or 0.0]
        assert observation[6] == len(state["queue"])
        assert observation[10] == sum(one["since"] for one in state["queue"])


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("name", ["inventory", "job_shop", "supply_chain", Triage])
def test_gymnasiums_checker_has_nothing_to_say(name, flat):
    if isinstance(name, str):
        env = gymnasium.make(environment_id(name), horizon=200.0, flat=flat, render_mode="ansi").unwrapped
    else:
        env = SimulatorEnv(name, horizon=200.0, flat=flat, render_mode="ansi")
    check_env(env, skip_render_check=not isinstance(name, str))


@pytest.mark.parametrize("name", registry.names("simulators"))
def test_states_of_numbers_stay_a_box_of_them(name):
    simulator = registry.load("simulators", name)
    env = SimulatorEnv(simulator)
    box = SimulatorEnv(simulator, only_numbers=True)
    if environment_id(name).endswith("v0"):
        assert (
            env.observation_space
            == box.observation_space
            == SimulatorEnv(simulator, flat=True).observation_space
        )
        np.testing.assert_array_equal(env.reset(seed=2)[0], box.reset(seed=2)[0])
    else:
        assert isinstance(env.observation_space, spaces.Dict)
        with pytest.warns(DeprecationWarning):
            old = gymnasium.make(environment_id(name, 0))
        assert old.observation_space == box.observation_space


def test_names_have_a_space_of_their_own_and_no_place_in_a_flat_one():
    env = SimulatorEnv(Letters)
    assert [observation["name"] for observation, _ in play(env, 2)] == ["patient 1", "patient 2", "patient 3"]
    with pytest.raises(
        InputError, match=r"Letters.observe\(\): the state's name takes too many different texts"
    ):
        SimulatorEnv(Letters, flat=True)


def test_words_are_left_out_of_a_flat_observation():
    import pydantic

    class Observed(pydantic.BaseModel):
        name: Words
        n: int

    class Says(Letters):
        observes = Observed

    assert [o.tolist() for o, _ in play(SimulatorEnv(Says, flat=True), 1)] == [[1.0], [2.0]]
    assert SimulatorEnv(Says).reset(seed=0)[0]["name"] == "patient 1"


def test_what_can_not_be_encoded_is_named():
    env = SimulatorEnv(Turns)
    with pytest.raises(InputError, match=r"Turns.observe\(\): the state's kind = 7 can't be encoded"):
        list(play(env, 400))
