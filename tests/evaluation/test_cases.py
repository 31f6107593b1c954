"""The examination against known answers, and its intervals."""

from typing import Any

import numpy as np
import pytest

from simdistill import registry
from simdistill.config import compose
from simdistill.evaluation import cases as evaluation
from simdistill.evaluation import summaries
from simdistill.evaluation.cases import Case, Cost
from simdistill.simulation import ProcessModel, Streams
from simdistill.simulation.policies import RandomPolicy
from simdistill.simulators.queueing import Queueing, join_shortest_queue, shortest_expected_delay

OPTIMUM, SED, JSQ = 4.624576, 5.02927, 5.413187
"""Default parameters, exact by value iteration; the same figures as in known_answers/routing.json."""


@pytest.fixture(scope="module")
def config():
    return compose(["task=queueing", "evaluation.parameter_sets=2", "evaluation.replications=8"])[0]


@pytest.fixture(scope="module")
def cases(config):
    return evaluation.prepare(config.task, config.evaluation)


def test_default_parameters_cost_what_is_known(cases):
    costs = cases[0].costs
    assert costs["optimum"].exact == pytest.approx(OPTIMUM, abs=2e-4)
    assert costs["shortest_expected_delay"].exact == pytest.approx(SED, abs=5e-4)
    assert costs["join_shortest_queue"].exact == pytest.approx(JSQ, abs=2e-4)


def test_random_routing_is_unstable_and_has_no_mean(cases, config):
    assert cases[0].costs["random"].exact is None
    entry = summaries.summary(cases, "default", "random", config.task.horizon, 0)
    assert entry is not None and entry["unstable"] and entry["mean"] is None


def test_settings_hold_disjoint_parameters(cases):
    loads = {
        setting: [case.params.load for case in cases if case.setting == setting]
        for setting in evaluation.SETTINGS
    }
    assert len(loads["in_distribution"]) == len(loads["out_of_distribution"]) == 2
    assert max(loads["in_distribution"]) < min(loads["out_of_distribution"]) <= 0.92


def test_simulation_confirms_the_exact_costs(cases, config):
    evaluation.confirm(config.task, config.evaluation, cases[:1], map, lambda done, total: None)
    for name in ("optimum", "shortest_expected_delay"):
        entry = summaries.summary(cases, "default", name, config.task.horizon, 0)
        assert entry is not None
        low, high = entry["simulated"]["ci95"]
        margin = 0.5 * (high - low)  # one interval in twenty misses; twice its width hardly ever does
        assert low - margin < entry["mean"] < high + margin
    entry = summaries.summary(cases, "default", "random", config.task.horizon, 0)
    assert entry is not None and entry["growth"]["ci95"][0] > 0  # jobs pile up at the slow server


class Counted:
    """Answers as a policy does, and counts the states it was asked."""

    def __init__(self, policy):
        self.policy, self.asked = policy, []

    def __call__(self, state, choices):
        self.asked.append(state)
        return self.policy(state, choices)


def test_asking_where_it_matters_gives_nearly_the_whole_policy(cases):
    asked = Counted(shortest_expected_delay)
    count = evaluation.ask(cases[0], "student", asked, join_shortest_queue, 0.999)
    cost = cases[0].costs["student"]
    assert cost.exact == pytest.approx(SED, rel=2e-3)
    assert cost.tabulated >= 0.999
    assert count == len(asked.asked) < 400
    assert len({tuple(state["jobs"]) for state in asked.asked}) == count  # nothing is asked twice


def test_nobody_is_asked_where_there_is_one_choice():
    plan = compose(["task=scheduling", "evaluation.parameter_sets=1"])[0]
    case = evaluation.prepare(plan.task, plan.evaluation)[0]
    rule, asked = registry.policies("scheduling")["c_mu"], []

    def decide(state, choices):
        asked.append((state, choices))
        return rule(state, choices)

    count = evaluation.ask(case, "asked", decide, rule, 0.999)
    assert count == len(asked) > 0
    assert all(labels == ["1", "2"] and min(state["jobs"]) > 0 for state, labels in asked)
    assert case.costs["asked"].exact == pytest.approx(case.costs["c_mu"].exact, rel=2e-3)
    assert case.costs["asked"].tabulated >= 0.999


def test_a_policy_that_overloads_a_server_is_unstable(cases):
    evaluation.ask(cases[0], "always B", Counted(lambda state, choices: "B"), shortest_expected_delay, 0.999)
    assert cases[0].costs["always B"].exact is None


def pooled(costs: dict[str, list]) -> list[Case]:
    """Cases with given exact costs."""
    none: Any = (None, object())
    count = len(next(iter(costs.values())))
    return [
        Case("in_distribution", n, *none, costs={name: Cost(values[n]) for name, values in costs.items()})
        for n in range(count)
    ]


def test_ratios_pool_totals_over_parameter_sets():
    cases = pooled({"student": [1.1, 10.0], "heuristic": [1.2, 12.0], "optimum": [1.0, 10.0]})
    over = summaries.over(cases, "in_distribution", "student", "optimum", 0)
    assert over is not None and over.mean == pytest.approx(11.1 / 11.0 - 1)
    gap = summaries.gap_closed(cases, "in_distribution", "student", "heuristic", "optimum", 0)
    assert gap is not None and gap.mean == pytest.approx((13.2 - 11.1) / (13.2 - 11.0))
    assert over.low <= over.mean <= over.high


def test_regret_is_cost_beyond_the_reference_over_decisions(cases, config):
    evaluation.confirm(config.task, config.evaluation, cases[:1], map, lambda done, total: None)
    found = summaries.regret(cases, "default", "join_shortest_queue", "optimum", config.task, 0)
    assert found is not None
    # Two jobs a minute arrive, and each is decided about.
    assert found.mean == pytest.approx((JSQ - OPTIMUM) / 2.0, rel=0.03)
    assert summaries.regret(cases, "default", "random", "optimum", config.task, 0) is None


def test_an_unstable_set_leaves_no_ratio():
    cases = pooled({"student": [1.1, None], "heuristic": [1.2, 12.0], "optimum": [1.0, 10.0]})
    assert summaries.over(cases, "in_distribution", "student", "optimum", 0) is None
    assert summaries.gap_closed(cases, "in_distribution", "student", "heuristic", "optimum", 0) is None


def test_no_gap_is_closed_where_the_heuristic_is_optimal():
    cases = pooled({"student": [1.1, 10.0], "heuristic": [1.0, 10.0], "optimum": [1.0, 10.0]})
    assert summaries.gap_closed(cases, "in_distribution", "student", "heuristic", "optimum", 0) is None


def test_a_random_policy_draws_each_replications_own_numbers():
    task = compose(["task=queueing", "task.horizon=100", "task.warm_up=0"])[0].task
    policy = Queueing.policies["best_static_split"]
    plans = [evaluation.Plan(task, Queueing.parse({}), policy, 0, number) for number in (0, 1, 0)]
    first, other, again = map(evaluation._simulate, plans)
    assert first == again != other


def test_policies_meet_the_same_random_numbers():
    """The same arrivals, whatever the policy does."""

    def arrivals(policy) -> list[float]:
        model: ProcessModel = Queueing({}, (3, 2, 0, 0))
        times = []
        while len(times) < 50 and (decision := model.advance()) is not None:
            times.append(model.env.now)
            model.answer(policy(model.observe(decision), decision.labels))
        return times

    assert arrivals(shortest_expected_delay) == arrivals(RandomPolicy(Streams((1,))))
    assert np.all(np.diff(arrivals(join_shortest_queue)) > 0)
