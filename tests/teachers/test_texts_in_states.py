"""A process whose right choice depends on a text alone: search, fit and exact examination find it."""

import itertools

import numpy as np
import pytest
from scipy import sparse

from simdistill import mdp, registry
from simdistill.config import LanguageConfig, TaskConfig, TeacherConfig
from simdistill.envs.episodes import explore
from simdistill.evaluation.exact import examine_where_it_matters
from simdistill.evaluation.exhibits import _axes
from simdistill.mdp import DecisionProcess
from simdistill.simulation import EPISODE, PLAN, TRAIN, ProcessModel, Streams, uniform
from simdistill.simulation.policies import RandomPolicy
from simdistill.simulation.rollout import replicate
from simdistill.simulation.states import matrix
from simdistill.teachers import store
from simdistill.teachers.cost_to_go import combine_with_fit
from simdistill.teachers.fit_inputs import FitInputs
from simdistill.teachers.state_search import search_states

RIGHT = {"red": "A", "blue": "B"}


class Doors(ProcessModel):
    """Jobs come one a minute; a red one that goes through B, or a blue one through A, costs 1."""

    def build(self):
        self.kind = ""
        self.env.process(self.jobs())

    def jobs(self):
        for job in itertools.count():
            yield self.env.timeout(1.0)
            self.kind = "red" if self.draw("kind", job, uniform(0.0, 1.0)) < 0.5 else "blue"
            if (yield self.decide("Which door?", ["A", "B"])) != RIGHT[self.kind]:
                self.charge("wrong door", 1.0)

    def observe(self, decision):
        return {"kind": self.kind, "n": 1}


class Line(Doors):
    """The kind that counts is that of the first in a queue of varying length, if there is one."""

    def build(self):
        self.length = 0
        super().build()

    def observe(self, decision):
        rest = [{"kind": "blue", "size": 1.0}] * (int(self.env.now) % 3)
        return {"queue": [{"kind": self.kind, "size": 2.0}, *rest], "due": None if len(rest) == 1 else 3.0}


def searched(simulator, number=60):
    model = simulator({}, (0, TRAIN, EPISODE, 0))
    situations = explore(model, RandomPolicy(Streams((0, PLAN))), 0.0, Streams((1, PLAN)), number)
    teacher = TeacherConfig(futures=4, horizon=3.0)
    policy = RandomPolicy(Streams((2, PLAN)))
    task = TaskConfig(
        name="colours",
        simulator=f"{__name__}:{simulator.__name__}",
        language=LanguageConfig(description="Choose.", situation="It is {{ kind }}."),
        heuristic="random",
    )
    return search_states(task, teacher, policy, 0, situations)


def state(kind):
    return {"kind": kind, "n": 1}


def other(state, choices):
    return "elsewhere"


@pytest.fixture(scope="module")
def taught():
    return combine_with_fit(searched(Doors), 0, 1, 5)


def test_search_and_fit_tell_red_from_blue(taught):
    regression, labels = taught
    for kind, choice in RIGHT.items():
        assert regression.network(state(kind), ["A", "B"]) == choice
    kinds = [one.situation.state["kind"] for one in searched(Doors)]
    assert {*kinds} == {*RIGHT}
    best = [labels.names[column] for column in np.nanargmin(labels.costs_SC, axis=1)]
    assert best == [RIGHT[kind] for kind in kinds]
    difference = regression.network.costs([state("red"), state("blue")]) @ [-1, 1]
    assert difference == pytest.approx([1, -1], abs=0.1)


def test_the_fitted_policy_never_takes_the_wrong_door(taught):
    network = taught[0].network
    assert replicate(Doors, {}, network, (3, TRAIN, EPISODE, 0), 0.0, 100.0).cost == 0.0
    kept = store.network(store.kept_network(network))
    assert kept.many([state("red"), state("blue")], [["A", "B"]] * 2) == ["A", "B"]


def test_a_text_that_was_never_seen_is_left_to_the_fallback(taught):
    network = taught[0].network
    assert network.knows(state("red")) and not network.knows(state("green"))
    network.fallback = other
    assert network(state("green"), ["A", "B"]) == "elsewhere"
    assert network(state("red"), ["A", "B"]) == "A"


def test_states_that_the_fit_does_not_know_keep_their_simulated_values(taught):
    regression, _ = taught
    items = searched(Doors, 6)
    known = regression.label(items)
    for item in items:
        item.situation.state["kind"] = "green"
    unknown = regression.label(items)
    wrong = np.array([item.values.differences_CK.mean(axis=1) for item in items])
    np.testing.assert_allclose(unknown.costs_SC, wrong - wrong.min(axis=1, keepdims=True), atol=1e-12)
    assert np.isfinite(unknown.errors_SC).all() and known.costs_SC.shape == unknown.costs_SC.shape


def test_a_queue_of_varying_length_and_a_missing_value_can_be_fitted():
    network = combine_with_fit(searched(Line, 90), 0, 1, 5)[0].network
    assert replicate(Line, {}, network, (3, TRAIN, EPISODE, 0), 0.0, 100.0).cost == 0.0


def chain():
    states = [{"kind": kind, "n": n} for kind in RIGHT for n in (0, 1)]
    cost_SC = np.array([[one["kind"] != "red", one["kind"] != "blue"] for one in states], dtype=float)
    every = sparse.csr_matrix(np.full((4, 4), 0.25))
    return DecisionProcess(
        states, ["A", "B"], np.ones((4, 2), bool), [every] * 2, cost_SC, np.ones((4, 2)), np.zeros(4, bool)
    )


def test_an_exact_examination_tells_red_from_blue():
    process = chain()

    def rule(state, choices):
        return RIGHT[state["kind"]]

    found = examine_where_it_matters(process, np.full(4, 0.25), rule, other, 0.999)
    assert found.cost == pytest.approx(0.0)
    assert found.policy is not None
    assert [found.policy(one, ["A", "B"]) for one in process.states] == ["A", "A", "B", "B"]
    assert found.policy({"kind": "green", "n": 0}, ["A", "B"]) == "elsewhere"
    assert found.policy({"kind": "blue", "n": 9}, ["A", "B"]) == "B"
    assert mdp.tabulate(process, rule).argmax(axis=1).tolist() == [0, 0, 1, 1]


def test_the_nearest_state_is_one_of_the_same_kind():
    asked = []

    def rule(state, choices):
        asked.append(state)
        return RIGHT[state["kind"]]

    process = chain()
    optimum_S = np.array([0.5, 0.0, 0.5, 0.0])
    found = examine_where_it_matters(process, optimum_S, rule, other, 0.5)
    assert found.policy_SC is not None and found.policy_SC.argmax(axis=1).tolist() == [0, 0, 1, 1]


def test_a_decision_map_has_an_axis_for_the_text():
    assert _axes(chain().states, ["A", "B"]) == ["kind (0 blue, 1 red)", "n"]


@pytest.mark.parametrize("name", registry.names("simulators"))
def test_fits_of_the_packages_own_simulators_are_given_the_numbers_of_states(name):
    simulator = registry.load("simulators", name)
    model = simulator({}, (0, TRAIN, EPISODE, 0))
    situations = explore(model, RandomPolicy(Streams((0, PLAN))), 0.0, Streams((1, PLAN)), 12)
    states = [situation.state for situation in situations]
    given_SN, flag_N = FitInputs.of(states, simulator.observes).matrix(states)
    np.testing.assert_array_equal(given_SN, matrix(states))
    assert flag_N is None


def test_two_states_that_differ_in_a_text_are_two_to_a_fit():
    states = [{"kind": "red", "n": 1}, {"kind": "blue", "n": 1}]
    inputs = FitInputs.of(states)
    red, blue = inputs.matrix(states)[0]
    assert (red != blue).any()
    assert not inputs.knows({"kind": "green", "n": 1})
    many = [{"kind": f"job {number}", "n": 1} for number in range(60)]
    assert FitInputs.of([*many, *states, *states]).knows({"kind": "green", "n": 1})
