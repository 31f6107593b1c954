"""What-if: branches replay the past bit for bit, and their differences are right on average."""

import itertools

import numpy as np
import pytest
from scipy import stats

from simdistill.errors import ProcessError
from simdistill.mdp import choice_values, evaluate, tabulate
from simdistill.simulation import (
    EPISODE,
    TRAIN,
    Parameters,
    ProcessModel,
    Streams,
    World,
    branch_point,
    deterministic,
    gamma,
)
from simdistill.simulation import branching as engine
from simdistill.simulation.branching import what_if
from simdistill.simulation.policies import RandomPolicy
from simdistill.simulation.replaying import replay
from simdistill.simulation.situations import Episode, Situation
from simdistill.simulation.streams import BranchedWorld
from simdistill.simulators.queueing import Queueing, join_shortest_queue, shortest_expected_delay

QUIET = {"arrival_rate": 0.6, "service_rates": (1.0, 0.5)}
"""Few jobs, so that the rest of a running service weighs much in a difference."""


class Machine(ProcessModel):
    """Decides at the points of a Poisson process: whenever a part is finished."""

    def build(self):
        self.parts = 0
        self.env.process(self.work())

    def work(self):
        for _ in range(10**9):
            yield self.poisson("work", 3.0)
            self.parts += yield self.decide("How many?", {"none": 0, "one": 1})
            self.cost_rate("parts", self.parts)

    def observe(self, decision):
        return {"parts": self.parts}


class Unkeyed(Queueing):
    """Draws random numbers behind the engine's back."""

    random = np.random.default_rng(0)

    def arrivals(self):
        while True:
            yield self.env.timeout(self.random.exponential())
            self.change((yield self.decide("Which?", {"A": 0, "B": 1})), +1)


class Cure(ProcessModel):
    """A repair has lasted four units when it's asked whether to pay three for an end at once."""

    class Params(Parameters):
        shape: float | None = None

    def build(self):
        self.broken = True
        self.cost_rate("broken", 1.0)
        self.env.process(self.repair())
        self.env.process(self.ask())

    def repair(self):
        shape = self.params.shape
        yield self.duration("repair", 0, deterministic(10.0) if shape is None else gamma(shape, 10.0))
        self.cost_rate("broken", 0.0)
        self.broken = False

    def ask(self):
        yield self.env.timeout(4.0)
        if self.broken and (yield self.decide("Pay?", ["stay", "pay"])) == "pay":
            self.charge("paid", 3.0)
            self.cost_rate("broken", 0.0)

    def observe(self, decision):
        return {}

    def final_cost(self):
        return 0.5 if "paid" in self.costs() else 0.0


def situations(simulator, params, policy, path, count):
    """The first decisions of an episode, and the cost accrued at each."""
    episode, found, costs = Episode(simulator(params, path)), [], []
    while len(found) < count and (situation := episode.advance()) is not None:
        found.append(situation)
        costs.append(episode.model.cost())
        episode.answer(policy(situation.state, situation.choices))
    return found, costs


def queue_situation(params, jobs) -> Situation:
    """The first decision of an episode that meets the jobs with which it started."""
    for number in range(10_000):
        path = (0, TRAIN, EPISODE, number)
        situation = situations(Queueing, {**params, "initial_jobs": jobs}, join_shortest_queue, path, 1)[0][0]
        if situation.state["jobs"] == list(jobs):
            return situation
    raise AssertionError(f"no episode meets {jobs}")


def exact_difference(params, jobs, policy):
    """Exact cost of each choice minus that of the policy's, following the policy."""
    process = Queueing.markov(params, 60)
    table = tabulate(process, policy)
    state = next(s for s, other in enumerate(process.states) if other["jobs"] == list(jobs))
    values_C = choice_values(process, evaluate(process, table))[state]
    return values_C - values_C[int(table[state].argmax())]


# Replay.


@pytest.mark.parametrize(
    ("simulator", "params"), [(Queueing, {}), (Queueing, QUIET), (Machine, {}), ("repairs", {})]
)
def test_a_replay_equals_the_original_bit_for_bit(simulator, params, repairs):
    simulator = repairs if simulator == "repairs" else simulator
    path = (3, TRAIN, EPISODE, 1)
    met, costs = situations(simulator, params, RandomPolicy(Streams((9,))), path, 60)
    for number in (0, 1, 29, 59):
        situation = met[number]
        worlds = [World(Streams(path))]
        worlds.append(BranchedWorld(worlds[0], Streams((*path, 1, 2)), situation.time))
        for world in worlds:
            model, decision = replay(simulator, situation.params, world, situation.actions)
            assert model.env.now == situation.time
            assert model.state(decision) == situation.state
            assert tuple(decision.labels) == situation.choices
            assert model.cost() == costs[number]
            assert model.seed_path == path


def test_after_the_replay_the_branch_goes_another_way():
    path = (3, TRAIN, EPISODE, 1)
    situation = situations(Queueing, {}, shortest_expected_delay, path, 20)[0][-1]
    past, followings = World(Streams(path)), []
    for future in range(3):
        world = BranchedWorld(past, Streams((*path, 1, future)), situation.time)
        model, _ = replay(Queueing, situation.params, world, situation.actions)
        world.branch()
        model.answer("A")
        model.advance()
        followings.append(model.env.now)
    original, _ = replay(Queueing, situation.params, past, (*situation.actions, "A"))
    assert len({original.env.now, *followings}) == 4
    assert min(followings) > situation.time


def test_a_process_that_cannot_be_replayed_is_named():
    met, _ = situations(Unkeyed, {}, join_shortest_queue, (3, TRAIN, EPISODE, 1), 5)
    with pytest.raises(ProcessError, match=r"Unkeyed: a replay didn't come back .* other than through"):
        what_if(Unkeyed, met[-1], join_shortest_queue, futures=2, horizon=10.0)


def test_a_replay_that_ends_too_early_is_named(process_of):
    with pytest.raises(ProcessError, match="the replay of 2 answers ended before their decision"):
        replay(Cure, Cure.parse({}), World(Streams((1,))), ["pay", "pay"])


# Differences.


@pytest.mark.parametrize("jobs", [(3, 1), (0, 0), (5, 0)])
def test_differences_agree_with_the_exact_ones(jobs):
    situation = queue_situation({}, jobs)
    values = what_if(Queueing, situation, shortest_expected_delay, futures=200, horizon=60.0)
    exact_C = exact_difference({}, jobs, shortest_expected_delay)
    other = 1 - values.base
    z = (values.mean_C[other] - exact_C[other]) / values.standard_error_C[other]
    assert abs(z) < 3
    assert values.standard_error_C[other] < 1.0
    assert values.mean_C[values.base] == values.standard_error_C[values.base] == 0.0
    assert values.coupled_CK.mean() > 0.9


def test_the_base_policy_decides_what_follows():
    situation = queue_situation({}, (3, 1))
    exact_C = exact_difference({}, (3, 1), join_shortest_queue)
    values = what_if(Queueing, situation, join_shortest_queue, futures=200, horizon=60.0)
    assert abs(exact_C - exact_difference({}, (3, 1), shortest_expected_delay)).max() > 0.1
    assert abs((values.mean_C - exact_C)[0] / values.standard_error_C[0]) < 3


class KeepsResiduals(BranchedWorld):
    """A clairvoyant branch: what is under way ends when it would have ended in the episode itself."""

    def duration(self, source, entity, distribution, now, visit=0):
        if self._branched:
            return super().duration(source, entity, distribution, now, visit)
        return self._past.duration(source, entity, distribution, now, visit)

    def tick(self, source, rate, now):
        return super().tick(source, rate, now) if self._branched else self._past.tick(source, rate, now)


def histories(count):
    """Decisions of different episodes, all with one job at each server when the question is put."""
    found = []
    for number in itertools.count():
        path = (0, TRAIN, EPISODE, number)
        met, _ = situations(Queueing, QUIET, shortest_expected_delay, path, 12)
        found.extend([s for s in met if s.state["jobs"] == [1, 1] and len(s.actions) > 3][:1])
        if len(found) == count:
            return found


def spread(found):
    """Mean differences of each history with their standard errors."""
    values = [what_if(Queueing, s, shortest_expected_delay, futures=12, horizon=40.0) for s in found]
    other = 1 - values[0].base
    assert len({v.base for v in values}) == 1
    return np.array([[v.mean_C[other], v.standard_error_C[other]] for v in values]).T


def test_histories_that_reach_one_state_agree(monkeypatch):
    found = histories(50)
    exact = exact_difference(QUIET, (1, 1), shortest_expected_delay)
    mean_H, error_H = spread(found)
    assert abs(mean_H.mean() - exact[np.abs(exact).argmax()]) < 3 * mean_H.std(ddof=1) / np.sqrt(50)
    # Were something of the episode's own future known, histories would differ by more than their noise.
    noise = np.mean(error_H**2)
    assert mean_H.var(ddof=1) / noise < stats.chi2.ppf(0.999, 49) / 49

    monkeypatch.setattr(branch_point, "BranchedWorld", KeepsResiduals)
    mean_H, error_H = spread(found)
    assert mean_H.var(ddof=1) / np.mean(error_H**2) > stats.chi2.ppf(0.999, 49) / 49


def cure(params):
    return situations(Cure, params, lambda state, choices: "stay", (1, TRAIN, EPISODE, 0), 1)[0][0]


def test_a_deterministic_repair_keeps_its_age():
    values = what_if(Cure, cure({}), lambda state, choices: "stay", futures=3, horizon=50.0)
    # Six more units of cost if it stays; three and a final half if it is paid for.
    np.testing.assert_allclose(values.differences_CK, [[0.0] * 3, [-2.5] * 3])
    assert values.coupled_CK.all()


def test_a_gamma_repair_keeps_its_age():
    shape = 4.0
    situation = cure({"shape": shape})
    values = what_if(Cure, situation, lambda state, choices: "stay", futures=400, horizon=200.0)
    repair = stats.gamma(shape, scale=10.0 / shape)
    rest = repair.expect(lambda x: x - 4.0, lb=4.0, ub=200.0) / repair.sf(4.0)
    mean, error = values.mean_C[1], values.standard_error_C[1]
    assert abs(mean - (3.5 - rest)) < 3 * error
    # A repair that began anew at the branch would take its whole mean.
    assert abs(mean - (3.5 - 10.0)) > 5 * error


# Where a future ends.


class Unmarked(Queueing):
    """Queueing whose branches aren't known to meet."""

    def fingerprint(self):
        return None


def test_stopping_where_branches_meet_is_exact():
    situation = queue_situation(QUIET, (2, 1))
    coupled = what_if(Queueing, situation, shortest_expected_delay, futures=20, horizon=100.0)
    run_out = what_if(Unmarked, situation, shortest_expected_delay, futures=20, horizon=100.0)
    assert coupled.coupled_CK.all()
    assert not run_out.coupled_CK[1 - run_out.base].any()
    np.testing.assert_allclose(coupled.differences_CK, run_out.differences_CK, atol=1e-9)
    assert coupled.decisions < run_out.decisions / 2


class Stroll(ProcessModel):
    """Steps of two or three units that all look alike."""

    def build(self):
        self.env.process(self.walk())

    def walk(self):
        yield self.env.timeout(1.0)
        while True:
            yield self.env.timeout((yield self.decide("How far?", {"two": 2.0, "three": 3.0})))
            self.charge("step", 1.0)

    def observe(self, decision):
        return {}

    def fingerprint(self):
        return ()


def test_branches_meet_only_at_equal_times():
    situation = situations(Stroll, {}, lambda state, choices: "two", (0, 1), 1)[0][0]
    values = what_if(Stroll, situation, lambda state, choices: "two", futures=2, horizon=50.5)
    # After the branch one steps at 2, 4, 6… and the other at 3, 5, 7…
    assert not values.coupled_CK[1].any()


def test_a_short_horizon_is_doubled_until_differences_stand_still(monkeypatch):
    situation = queue_situation(QUIET, (4, 0))

    def difference(horizon):
        values = what_if(Unmarked, situation, join_shortest_queue, futures=250, horizon=horizon)
        return values.horizon, values.mean_C[0], values.standard_error_C[0]

    monkeypatch.setattr(engine, "MAX_DOUBLINGS", 0)
    _, long, error = difference(100.0)
    assert abs(difference(2.0)[1] - long) > 3 * error
    monkeypatch.setattr(engine, "MAX_DOUBLINGS", 5)
    horizon, doubled, _ = difference(2.0)
    assert horizon in (4.0, 8.0, 16.0, 32.0, 64.0)
    assert abs(doubled - long) < 2 * error


def test_a_salt_gives_other_futures():
    situation = queue_situation(QUIET, (2, 1))

    def differences(salt):
        return what_if(
            Queueing, situation, shortest_expected_delay, futures=5, horizon=50.0, salt=salt
        ).differences_CK

    np.testing.assert_array_equal(differences(0), differences(0))
    assert not np.array_equal(differences(0), differences(1))


def test_a_random_base_policy_is_paired_and_repeatable():
    policy = RandomPolicy(Streams((5,)))
    situation = queue_situation(QUIET, (2, 1))
    first = what_if(Queueing, situation, policy, futures=10, horizon=100.0)
    policy({}, ["A", "B"])
    second = what_if(Queueing, situation, policy, futures=10, horizon=100.0)
    assert first.base == second.base
    np.testing.assert_array_equal(first.differences_CK, second.differences_CK)
    assert first.coupled_CK.mean() > 0.9  # branches that draw alike meet again


def test_keyed_durations_that_are_not_exponential_can_be_searched(repairs):
    situation = situations(repairs, {}, RandomPolicy(Streams((9,))), (3, TRAIN, EPISODE, 1), 30)[0][-1]
    values = what_if(repairs, situation, lambda state, choices: "hold", futures=50, horizon=30.0)
    # Sending it away costs two and saves the rest of the repair; nothing else differs.
    rests_K = 2.0 - values.differences_CK[1]
    assert rests_K.min() > 0.0
    assert len(set(rests_K.tolist())) == 50
    assert 0.5 < rests_K.mean() < 3.0
