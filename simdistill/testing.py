"""A contract test for simulators: inherit it, and pytest checks every promise that a process model makes.

    from simdistill.testing import ProcessModelContract

    from clinic import Clinic

    class TestClinic(ProcessModelContract):
        simulator = Clinic
        parameters = {"doctors": 2}
        wrong_parameters = {"doctors": 0}

Branching, teaching and examining rest on these promises: a seed decides a run, different answers meet the
same random numbers, a branch doesn't know the future. Each test is named by the sentence that it checks.
"""

import json
import math
import pickle
import random
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from simdistill.checker.check import CheckReport, inspect_simulator
from simdistill.checker.probe import Run, Subject, varied_by, watch
from simdistill.checker.randomness import first_difference
from simdistill.envs.simulator_env import SimulatorEnv
from simdistill.errors import InputError
from simdistill.simulation import EPISODE, TEST, ProcessModel, Streams
from simdistill.simulation.outcomes import outcomes
from simdistill.simulation.policies import RandomPolicy, unsendable, with_streams
from simdistill.simulation.situations import Episode
from simdistill.simulation.states import numbers

ILLEGAL = ("", "no such choice", "🙂")
"""Answers that no process offers."""

FORECAST_FUTURES = 4

_reports: dict[tuple, CheckReport] = {}


class ProcessModelContract:
    """Tests of a process model; a test class inherits them and names the simulator.

    Attributes:
        simulator: The class under test.
        parameters: Its parameters; the defaults where none are given.
        wrong_parameters: Name -> a value that must be refused by name.
        decisions: Decisions of one tested episode.
        seed: Root of the seeds of all episodes.
        deterministic: Whether nothing is random with these parameters, so that every seed gives the same run.
    """

    simulator: type[ProcessModel]
    parameters: Mapping[str, Any] = {}
    wrong_parameters: Mapping[str, Any] = {}
    decisions: ClassVar[int] = 60
    seed: ClassVar[int] = 0
    deterministic: ClassVar[bool] = False

    def check_end(self, model: ProcessModel) -> None:
        """Checks a law of your own at the end of each randomly answered episode; override it.

        Args:
            model: The process, after `decisions` answers or at its end.
        """

    # Randomness.

    def test_the_same_seed_and_answers_replay_the_run_exactly(self):
        first = self._run(global_seed=1)
        again = self._run(global_seed=2)
        difference = first_difference(first, again)
        assert difference is None, f"the same seed and the same answers give two runs: {difference}"
        assert first.error is None, f"the run fails: {first.error}"

    def test_another_seed_gives_another_run(self):
        if self.deterministic:
            pytest.skip("nothing is random with these parameters")
        runs = [self._run(episode=episode) for episode in range(3)]
        assert any(first_difference(runs[0], other) for other in runs[1:]), "three seeds give the same run"

    def test_different_answers_meet_the_same_random_numbers(self):
        self._no_problem("same seed, same run", "streams")

    # States, questions and answers.

    def test_every_state_is_json_with_finite_numbers_and_can_be_encoded(self):
        episode = self._episode()
        for situation in self._situations(episode):
            state = situation.state
            assert json.loads(json.dumps(state)) == state, f"JSON changes the state {state!r}"
            assert all(math.isfinite(number) for number in numbers(state)), f"not finite: {state!r}"
        self._no_problem("encoding")

    def test_an_illegal_answer_is_counted_and_replaced_by_the_fallback(self):
        wrong, right = self._episode(), self._episode()
        for number, (seen, meant) in enumerate(zip(*map(self._advancing, (wrong, right)), strict=True)):
            same = (seen.time, seen.state, seen.choices) == (meant.time, meant.state, meant.choices)
            assert same, f"after {number} illegal answers the run isn't that of the fallback"
            decision = right.decision
            assert decision is not None
            right.answer(right.model.fallback(decision))
            wrong.answer(ILLEGAL[number % len(ILLEGAL)])
            assert wrong.model.illegal_answers == number + 1, f"illegal answer {number + 1} is miscounted"
        assert right.model.illegal_answers == 0, "fallback() gives an answer that isn't legal"

    def test_random_answers_lose_no_entity_and_keep_costs_finite(self):
        for number, illegal in enumerate((0.0, 0.2, 1.0)):
            model = self.simulator(self._params(), (self.seed, TEST, EPISODE, number))
            answer_at_random(model, random.Random(number), illegal, self.decisions)
            self.check_end(model)

    def test_an_unknown_or_wrong_parameter_is_refused_by_name(self):
        name = self.simulator.__name__
        for field, value in {"no_such_parameter": 1, **self.wrong_parameters}.items():
            try:
                self.simulator({**self.parameters, field: value})
            except InputError as error:
                assert name in str(error) and field in str(error), f"refused without its name: {error}"
            else:
                raise AssertionError(f"{name} accepts the parameter {field} = {value!r}")

    # Branches.

    def test_a_branch_comes_back_to_its_decision(self):
        self._no_problem("branches")

    def test_a_branch_does_not_know_the_future(self):
        self._no_problem("no clairvoyance", "equal states, equal values", "fingerprint")

    # Costs.

    def test_the_cost_is_the_weighted_sum_of_the_costs(self):
        episode = self._episode()
        for _ in self._situations(episode):
            pass
        model = episode.model
        total = sum(model.cost_weights.get(name, 1.0) * cost for name, cost in model.costs().items())
        assert model.cost() == pytest.approx(total), f"the cost is {model.cost()}, its parts sum to {total}"

    def test_rewards_add_up_to_minus_the_cost(self):
        env = self._env()
        env.reset(seed=self.seed)
        total, ended = 0.0, False
        while not ended:
            _, reward, terminated, truncated, info = env.step(0)
            total, ended = total + float(reward), terminated or truncated
        model = env.model
        assert model is not None
        cost = model.cost(info["time"]) + (model.final_cost() if terminated else 0.0)
        assert total == pytest.approx(-cost), f"rewards sum to {total}, and the cost is {cost}"

    # The Gymnasium environment.

    def test_gymnasiums_checker_has_nothing_to_say(self):
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            check_env(self._env(longer=10.0), skip_render_check=True)
        assert not heard, "\n".join(str(warning.message) for warning in heard)

    def test_the_horizon_truncates_an_episode(self):
        env = self._env()
        env.reset(seed=self.seed)
        terminated = truncated = False
        while not (terminated or truncated):
            *_, terminated, truncated, info = env.step(0)
        assert truncated and not terminated, "an episode that isn't over at the horizon must be truncated"
        assert info["time"] == env.horizon, f"it was truncated at {info['time']}, not at {env.horizon}"

    # Policies and forecasts.

    def test_policies_answer_with_legal_choices(self):
        for name, written in self.simulator.policies.items():
            for number in range(2):
                episode = self._episode(number)
                policy = with_streams(written, Streams(episode.model.seed_path))
                for situation in self._advancing(episode):
                    label = policy(situation.state, situation.choices)
                    assert label in situation.choices, f"policy {name!r} answers {label!r} in {situation}"
                    episode.answer(label)

    def test_policies_can_be_sent_to_worker_processes(self):
        wrong = unsendable(self.simulator.policies)
        assert not wrong, "\n".join(wrong)
        for policy in self.simulator.policies.values():
            assert callable(pickle.loads(pickle.dumps(policy)))

    def test_forecasts_can_be_read_off_futures(self):
        forecasts = self.simulator.forecasts
        if not forecasts:
            pytest.skip("there are no forecasts")
        situation = self._episode().advance()
        assert situation is not None, "the process never asks"
        policy = RandomPolicy(Streams((self.seed,)))
        buckets_FK = outcomes(self.simulator, situation, policy, forecasts, FORECAST_FUTURES)
        for forecast, buckets_K in zip(forecasts, buckets_FK, strict=True):
            assert np.isin(buckets_K, range(len(forecast.labels))).all()

    # Everything else that is known to go wrong.

    def test_check_simulator_finds_no_problem(self):
        report = self._report()
        assert not report.problems, str(report)

    # Helpers.

    def _params(self) -> Any:
        return self.simulator.parse(self.parameters)

    def _episode(self, number: int = 0) -> Episode:
        return Episode(self.simulator(self._params(), (self.seed, TEST, EPISODE, number)))

    def _advancing(self, episode: Episode):
        """Comes to one decision after the other; the caller answers."""
        for _ in range(self.decisions):
            situation = episode.advance()
            if situation is None:
                return
            yield situation

    def _situations(self, episode: Episode):
        """Comes to one decision after the other and answers with varied choices."""
        for number, situation in enumerate(self._advancing(episode)):
            yield situation
            episode.answer(
                varied_by(0)(number, situation.time, json.dumps(situation.state), situation.choices)
            )

    def _run(self, episode: int = 0, global_seed: int = 0) -> Run:
        """Records a run; the global generators are seeded differently, as a sound process ignores them."""
        state, legacy = random.getstate(), np.random.get_state()
        try:
            random.seed(global_seed)
            np.random.seed(global_seed)
            subject = Subject(self.simulator, self._params(), self.seed, self.deterministic)
            return subject.play(subject.world(episode), varied_by(0), self.decisions)
        finally:
            random.setstate(state)
            np.random.set_state(legacy)

    def _env(self, longer: float = 1.0) -> SimulatorEnv:
        """An environment whose horizon lies behind some decisions and before others.

        Args:
            longer: Factor by which the horizon is longer.
        """
        episode = self._episode()
        times = []
        for situation in self._advancing(episode):
            times.append(situation.time)
            episode.answer(situation.choices[0])
        assert times and times[-1] > times[0], "the process asks at fewer than two instants"
        horizon = longer * (times[len(times) // 2] + times[-1]) / 2
        return SimulatorEnv(self.simulator, horizon=horizon, **self.parameters)

    def _report(self) -> CheckReport:
        key = (self.simulator, repr(self._params()), self.seed, self.deterministic)
        if key not in _reports:
            _reports[key] = inspect_simulator(
                self.simulator, self.parameters, seed=self.seed, deterministic=self.deterministic
            )
        return _reports[key]

    def _no_problem(self, *checks: str) -> None:
        found = [str(problem) for problem in self._report().problems if problem.check in checks]
        assert not found, "\n".join(found)


def answer_at_random(
    model: ProcessModel, chance: random.Random, illegal: float, decisions: int, wrong: Sequence[Any] = ILLEGAL
) -> None:
    """Answers at random, and checks what must hold at every decision of every process.

    Args:
        model: At its beginning.
        chance: Chooses the answers.
        illegal: Share of answers that are no choice.
        decisions: The most decisions that are answered.
        wrong: What illegal answers are taken from.

    Raises:
        AssertionError: A number isn't finite, time goes backwards, choices are too many or no text, an entity
            got lost, or illegal answers are miscounted.
    """
    run, illegal_answers, time = Run(), 0, 0.0
    watch(model, run)
    episode = Episode(model)
    for _ in range(decisions):
        decision = episode.proceed()
        if decision is None:
            assert model.ended and math.isfinite(model.final_cost())
            break
        state, labels = model.state(decision), decision.labels
        assert all(math.isfinite(number) for number in numbers(state)), f"not finite: {state!r}"
        assert 1 <= len(labels) <= model.max_choices, f"{len(labels)} choices: {labels}"
        assert all(isinstance(label, str) for label in labels), f"choices that aren't text: {labels}"
        assert model.env.now >= time, f"time went from {time:g} to {model.env.now:g}"
        assert math.isfinite(model.cost()), f"the cost is {model.cost()}"
        assert all(math.isfinite(total) for total, _ in model.totals().values()), f"{model.totals()}"
        time, is_illegal = model.env.now, chance.random() < illegal
        illegal_answers += is_illegal
        episode.answer(chance.choice(wrong if is_illegal else labels))
    begun: dict[str, float] = {}
    for time, balances in run.balances:
        for kind, balance in balances.items():
            lost = balance - begun.setdefault(kind, balance)
            assert math.isclose(lost, 0.0, abs_tol=1e-6), f"{kind} at time {time:g}: {lost:+g}"
    assert model.illegal_answers == illegal_answers, "illegal answers are miscounted"
