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


class NeedsAQuestion(Shop):
    """A state that can't be observed once nobody is asked."""

    def customers(self):
        self.asked = []
        for name in ("Ann", "Bob"):
            yield self.env.timeout(2.0)
            self.asked.append(name)
            yield self.decide("Sell?", ["yes", "no"])
            self.asked.pop()

    def observe(self, decision):
        return {"letters": [len(self.asked[0])]}


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
    assert environment_id("job_shop") == environment_id("job-shop") == "simdistill/JobShop-v1"
    assert environment_id("job_shop", 0) == "simdistill/JobShop-v0"
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
    assert last["action_mask"].tolist() == [1, 1]
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
        ({"arival_rate": 2.0}, "Queueing has no parameter 'arival_rate'; did you mean 'arrival_rate'?"),
        ({"horzon": 2.0}, "Queueing has no parameter 'horzon'; did you mean 'horizon'?"),
        ({"horizon": "long"}, "horizon must be positive, got 'long'"),
        ({"until": -1.0}, "until must be positive, got -1.0"),
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
    with pytest.raises(InputError, match=r"Queueing came to no decision up to the horizon, 1e-06 \(seed 1, "):
        env.reset(seed=1)


def test_episodes_without_a_decision_are_passed_over():
    """A horizon within which one of two episodes has a decision."""
    env = SimulatorEnv("queueing", horizon=0.35, arrival_rate=2.0)

    def begun(seed: int) -> tuple[int, ...]:
        env.reset(seed=seed)
        assert env.model is not None
        return env.model.seed_path

    numbers = []
    for seed in range(20):
        path = begun(seed)
        numbers.append(path[-1])
        assert begun(seed) == path == (seed, TEST, EPISODE, path[-1])
        for number in range(path[-1]):
            assert Queueing({"arrival_rate": 2.0}, (seed, TEST, EPISODE, number)).advance(0.35) is None
    assert numbers.count(0) > 3 and max(numbers) > 0


@pytest.mark.parametrize(
    "options", [[1], "parameters", [("parameters", {})], {"parameters": []}, {"parameters": 0}]
)
def test_options_that_are_no_dictionary_are_refused(options):
    with pytest.raises(InputError, match="must be a dictionary"):
        SimulatorEnv("queueing").reset(options=options)


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


def test_at_truncation_the_observation_is_the_state_at_the_end():
    env = make(horizon=30.0)
    for seed in range(20):
        observations, _, infos, (_, truncated) = episode(env, seed, by_delay)
        model = Queueing(RATES, (seed, TEST, EPISODE, 0))
        run_policy(model, shortest_expected_delay, 30.0)
        assert truncated and infos[-1]["observed_at_end"]
        assert infos[-1]["state"]["jobs"] == list(model.jobs)
        assert observations[-1].tolist() == [2.0, 2.0, 0.5, *model.jobs]
        assert "observed_at_end" not in infos[-2]


def test_at_truncation_the_clock_stands_at_the_horizon():
    class Waits(Shop):
        def observe(self, decision):
            return {"minute": self.env.now}

    env = SimulatorEnv(Waits, horizon=5.0)
    _, _, infos, ended = episode(env, 0)
    assert ended == (False, True)
    assert [info["state"]["minute"] for info in infos] == [2.0, 4.0, 5.0]


def test_at_termination_the_observation_is_the_state_at_the_end():
    observations, *_ = episode(SimulatorEnv(Shop, horizon=100.0), 0)
    assert np.array(observations).tolist() == [[0], [1], [2], [3]]


def test_a_state_that_can_not_be_observed_at_the_end_is_the_last_one_and_says_so():
    observations, _, infos, _ = episode(SimulatorEnv(NeedsAQuestion), 0)
    assert np.array(observations).tolist() == [[3], [3], [3]]
    assert infos[-1]["observed_at_end"] is False
    assert "IndexError: list index out of range" in infos[-1]["end_error"]


def test_steps_share_no_objects():
    def parts(value):
        if isinstance(value, dict | list | tuple):
            for part in value.values() if isinstance(value, dict) else value:
                yield from parts(part)
        if isinstance(value, dict | list | np.ndarray):
            yield value

    for name, options in (("job_shop", {}), ("emergency_department", {}), (Shop, {}), (NeedsAQuestion, {})):
        env = SimulatorEnv(name, **options)
        observations, _, infos, _ = episode(env, 0)
        one, *rest = [
            list(parts((observation, info))) for observation, info in zip(observations, infos, strict=True)
        ]
        for other in rest:
            assert not {id(part) for part in one} & {id(part) for part in other}
            one = other


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"arival_rate": 2.0},
            r"unknown option 'arival_rate'; did you mean {'parameters': {'arrival_rate': 2.0}}\?",
        ),
        ({"paramaters": {}}, r"unknown option 'paramaters'; did you mean 'parameters'\?"),
        (
            {"parameters": {"arival_rate": 2.0}},
            "Queueing has no parameter 'arival_rate'; did you mean 'arrival_rate'",
        ),
        ({"parameters": {"weather": 2.0}}, "no parameter 'weather'; known: arrival_rate"),
        ({"parameters": [2.0]}, r"parameters = \[2.0\]: must be a dictionary"),
    ],
)
def test_a_wrong_option_of_reset_is_named(options, told):
    with pytest.raises(InputError, match=told):
        make().reset(options=options)


def test_masks_are_handed_out_as_maskable_algorithms_ask_for_them():
    env = gymnasium.make("simdistill/EmergencyDepartment-v0", horizon=3000.0)
    masks = env.get_wrapper_attr("action_masks")
    _, info = env.reset(seed=1)
    for _ in range(20):
        assert masks().dtype == bool and masks().tolist() == (info["action_mask"] == 1).tolist()
        *_, info = env.step(env.action_space.sample(info["action_mask"]))
    assert masks().shape == info["action_mask"].shape


@pytest.mark.parametrize("mode", list(gymnasium.vector.AutoresetMode)[:2])
def test_masked_sampling_goes_on_through_automatic_resets(mode):
    envs = gymnasium.vector.SyncVectorEnv([lambda: SimulatorEnv(Shop)] * 2, autoreset_mode=mode)
    envs.reset(seed=1)
    ends = 0
    for _ in range(60):
        masks = np.stack([env.get_wrapper_attr("action_masks")() for env in envs.envs])
        assert masks.any(axis=1).all()
        _, _, terminated, truncated, _ = envs.step(masks.argmax(axis=1))
        ends += int((terminated | truncated).sum())
    assert ends > 2
    envs.close()
