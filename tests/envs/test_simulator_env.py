"""Simulators as Gymnasium environments."""

import json

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import simdistill  # noqa: F401 (makes the simulators known to Gymnasium)
from simdistill.envs.registration import environment_id, register_environments
from simdistill.envs.simulator_env import SimulatorEnv
from simdistill.errors import InputError, ProcessError
from simdistill.simulation import EPISODE, TEST, ProcessModel
from simdistill.simulation.rollout import run_policy
from simdistill.simulators.queueing import Queueing, shortest_expected_delay

RATES = {"arrival_rate": 2.0, "service_rates": (2.0, 0.5)}


def make(**options):
    return gymnasium.make("simdistill/Queueing-v0", **{**RATES, **options})


def episode(env, seed, choose=lambda info: 0):
    """Rewards and infos of an episode."""
    observation, info = env.reset(seed=seed)
    observations, rewards, infos, done = [observation], [], [info], False
    while not done:
        observation, reward, terminated, truncated, info = env.step(choose(infos[-1]))
        observations.append(observation)
        rewards.append(reward)
        infos.append(info)
        done = terminated or truncated
    return observations, rewards, infos, (terminated, truncated)


def by_delay(info):
    return info["choices"].index(shortest_expected_delay(info["state"], info["choices"]))


class Shop(ProcessModel):
    """Three customers, then the shop closes; each is asked one thing that has one or two answers."""

    max_choices = 2

    def build(self):
        self.served = 0
        self.env.process(self.customers())

    def customers(self):
        for _ in range(3):
            yield self.env.timeout(2.0)
            self.cost_rate("open", 1.0)
            if (yield self.decide("Sell?", ["yes", "no"])) == "no":
                self.charge("lost", 4.0)
            self.served += 1

    def observe(self, decision):
        return {"served": self.served}

    def final_cost(self):
        return 0.25


class Breaks(Shop):
    def observe(self, decision):
        if self.served == 2:
            raise RuntimeError("till jammed")
        return {"served": self.served}


class Grows(Shop):
    def observe(self, decision):
        return {"customers": list(range(self.served + 1))}


class NeverAsks(ProcessModel):
    def build(self):
        self.env.process(self.close())

    def close(self):
        yield self.env.timeout(1.0)


def test_gymnasiums_checker_has_nothing_to_say():
    env = make(horizon=50.0, render_mode="ansi")
    check_env(env.unwrapped)
    check_env(make(arrival_rate=1.0, service_rates=(1.0, 0.5, 0.25), render_mode="ansi").unwrapped)


def test_ids():
    assert environment_id("queueing") == "simdistill/Queueing-v0"
    assert environment_id("job_shop") == environment_id("job-shop") == "simdistill/JobShop-v0"
    register_environments()  # once more does no harm
    assert "simdistill/Queueing-v0" in gymnasium.registry


def test_rewards_are_minus_the_cost_and_times_add_up_to_the_horizon():
    env = make(horizon=300.0)
    _, rewards, infos, ended = episode(env, 5, by_delay)
    assert ended == (False, True)
    model = Queueing(RATES, (5, TEST, EPISODE, 0))
    decisions = run_policy(model, shortest_expected_delay, 300.0)
    assert len(rewards) == decisions
    assert sum(rewards) == pytest.approx(-model.cost(300.0))
    assert sum(info["elapsed"] for info in infos) == pytest.approx(300.0)
    assert infos[-1]["time"] == 300.0


def test_a_seed_decides_the_episode():
    env = make(horizon=30.0)

    def run(seed):
        observations, rewards, *_ = episode(env, seed)
        return np.array(observations).tolist(), rewards

    first = run(3)
    assert run(3) == first
    assert run(4) != first
    env.reset(seed=3)
    unseeded = [env.reset()[1]["time"] for _ in range(3)]
    assert len(set(unseeded)) == 3
    env.reset(seed=3)
    assert [env.reset()[1]["time"] for _ in range(3)] == unseeded


def test_the_observation_holds_the_numbers_of_the_state():
    observation, info = make().reset(seed=1)
    state = info["state"]
    assert observation.tolist() == [state["arrival_rate"], *state["service_rates"], *state["jobs"]]
    assert observation.dtype == np.float64


def test_info_tells_the_question_in_json():
    env = make(horizon=20.0)
    _, _, infos, _ = episode(env, 5)
    for info in infos:
        told = {key: value for key, value in info.items() if key != "action_mask"}
        assert json.loads(json.dumps(told)) == told
    first, last = infos[0], infos[-1]
    assert first["question"] == "Which server gets the next job?"
    assert first["choices"] == ["A", "B"]
    assert first["action_mask"].tolist() == [1, 1]
    assert first["elapsed"] == 0.0 < first["time"] < infos[1]["time"]
    assert last["choices"] == []
    assert last["action_mask"].tolist() == [0, 0]
    assert env.action_space.sample(first["action_mask"]) in (0, 1)


def test_illegal_actions_are_counted_and_replaced():
    env = SimulatorEnv("queueing", horizon=20.0)
    legal = episode(env, 5, lambda info: 0)
    illegal = episode(env, 5, lambda info: 7)
    assert [info["illegal_answers"] for info in illegal[2]] == list(range(len(illegal[2])))
    assert {info["illegal_answers"] for info in legal[2]} == {0}
    assert illegal[1] == legal[1]
    assert episode(env, 5, lambda info: -1)[2][-1]["illegal_answers"] > 0


def test_an_episode_may_have_its_own_parameters():
    env = make(horizon=20.0)
    _, info = env.reset(seed=1, options={"parameters": {"arrival_rate": 1.5}})
    assert info["state"]["arrival_rate"] == 1.5
    assert env.reset(seed=1)[1]["state"]["arrival_rate"] == 2.0
    with pytest.raises(InputError, match=r"Queueing.arrival_rate = 0"):
        env.reset(options={"parameters": {"arrival_rate": 0}})


def test_a_process_that_ends_terminates_its_episode():
    env = SimulatorEnv(f"{__name__}:Shop", horizon=100.0)
    _, rewards, infos, ended = episode(env, 0, lambda info: 1)
    assert ended == (True, False)
    # Open from 2 to 6, three lost customers, the final cost.
    assert rewards == [-4.0 - 2.0, -4.0 - 2.0, -4.0 - 0.25]
    assert [info["elapsed"] for info in infos] == [0.0, 4.0, 2.0, 0.0]
    assert infos[-1]["time"] == 6.0
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(0)


def test_a_step_needs_a_reset():
    with pytest.raises(gymnasium.error.ResetNeeded):
        SimulatorEnv("queueing").step(0)


def test_a_state_can_be_seen():
    env = SimulatorEnv("queueing", render_mode="ansi")
    _, info = env.reset(seed=1)
    assert str(info["state"]) in str(env.render())
    assert SimulatorEnv("queueing").render() is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arrival_rate": -2.0}, "Queueing.arrival_rate = -2.0: Input should be greater than 0"),
        ({"arival_rate": 2.0}, "Queueing.arival_rate = 2.0: Extra inputs are not permitted"),
        ({"horizon": 0.0}, "horizon must be positive, got 0.0"),
        ({"horizon": float("nan")}, "horizon must be positive, got nan"),
    ],
)
def test_a_wrong_parameter_is_named(options, message):
    with pytest.raises(InputError) as caught:
        SimulatorEnv("queueing", **options)
    assert message in str(caught.value)


def test_an_unknown_simulator():
    with pytest.raises(InputError, match="did you mean 'queueing'"):
        SimulatorEnv("quueing")


def test_a_horizon_before_the_first_decision():
    env = SimulatorEnv("queueing", horizon=1e-6)
    with pytest.raises(InputError, match=r"Queueing came to no decision up to the horizon, 1e-06 \(seed 1\)"):
        env.reset(seed=1)


def test_a_process_without_decisions():
    with pytest.raises(InputError, match="ended without a decision"):
        SimulatorEnv(f"{__name__}:NeverAsks")


def test_a_simulator_that_fails_on_the_way():
    env = SimulatorEnv(f"{__name__}:Breaks")
    with pytest.raises(
        ProcessError,
        match=r"Breaks: RuntimeError: till jammed \(episode 0, seed \[8, 2, 0, 0\], time 6\)",
    ):
        episode(env, 8)
    assert env.reset(seed=9)[1]["state"] == {"served": 0}  # other episodes go on


def test_an_observation_that_changes_its_size():
    env = SimulatorEnv(f"{__name__}:Grows")
    with pytest.raises(InputError, match=r"Grows.observe\(\) gave 2 numbers, at first it gave 1"):
        episode(env, 0)
