"""The examination against known answers, and its intervals."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from simdistill import registry
from simdistill.config import EvaluationConfig, compose
from simdistill.evaluation import summaries
from simdistill.evaluation.cases import OPTIMUM, Case, draw
from simdistill.evaluation.exact import examine_where_it_matters
from simdistill.evaluation.examination import Examination
from simdistill.evaluation.examined import Examined
from simdistill.evaluation.metrics.heuristic_gap_closed import HeuristicGapClosed
from simdistill.evaluation.metrics.regret_per_decision import RegretPerDecision
from simdistill.evaluation.simulated import Plan, confirm, simulate
from simdistill.results import SETTINGS
from simdistill.simulation import ProcessModel, Streams
from simdistill.simulation.policies import RandomPolicy
from simdistill.simulators.queueing import Queueing, join_shortest_queue, shortest_expected_delay

BEST, SED, JSQ = 4.624576, 5.02927, 5.413187
"""Default parameters, exact by value iteration; the same figures as in known_answers/routing.json."""


@pytest.fixture(scope="module")
def config():
    return compose(["task=queueing", "evaluation.parameter_sets=2", "evaluation.replications=8"])[0]


@pytest.fixture(scope="module")
def cases(config):
    return draw(config.task, config.evaluation)


def test_default_parameters_cost_what_is_known(cases):
    found = cases[0].policies
    assert found["optimum"].cost == pytest.approx(BEST, abs=2e-4)
    assert found["shortest_expected_delay"].cost == pytest.approx(SED, abs=5e-4)
    assert found["join_shortest_queue"].cost == pytest.approx(JSQ, abs=2e-4)


def test_random_routing_is_unstable_and_has_no_mean(cases, config):
    assert cases[0].policies["random"].cost is None
    entry = summaries.summary(cases, "default", "random", config.task.horizon, 0)
    assert entry is not None and entry.unstable and entry.mean is None


def test_settings_hold_disjoint_parameters(cases):
    loads = {setting: [case.params.load for case in cases if case.setting == setting] for setting in SETTINGS}
    assert len(loads["in_distribution"]) == len(loads["out_of_distribution"]) == 2
    assert max(loads["in_distribution"]) < min(loads["out_of_distribution"]) <= 0.92


def test_simulation_confirms_the_exact_costs(cases, config):
    confirm(config.task, config.evaluation, cases[:1], map, lambda done, total: None)
    for name in ("optimum", "shortest_expected_delay"):
        entry = summaries.summary(cases, "default", name, config.task.horizon, 0)
        assert entry is not None and entry.simulated is not None and entry.simulated.ci95 is not None
        low, high = entry.simulated.ci95
        assert entry.mean is not None
        margin = 0.5 * (high - low)  # one interval in twenty misses; twice its width hardly ever does
        assert low - margin < entry.mean < high + margin
    entry = summaries.summary(cases, "default", "random", config.task.horizon, 0)
    assert (
        entry is not None and entry.growth is not None and entry.growth.low > 0
    )  # jobs pile up at the slow server


def ask(case: Case, policy, fallback) -> Examined:
    return examine_where_it_matters(case.solved, case.stationary(OPTIMUM), policy, fallback, 0.999)


class Counted:
    """Answers as a policy does, and counts the states it was asked."""

    def __init__(self, policy):
        self.policy, self.asked = policy, []

    def __call__(self, state, choices):
        self.asked.append(state)
        return self.policy(state, choices)


def test_asking_where_it_matters_gives_nearly_the_whole_policy(cases):
    asked = Counted(shortest_expected_delay)
    found = ask(cases[0], asked, join_shortest_queue)
    assert found.cost == pytest.approx(SED, rel=2e-3)
    assert found.tabulated >= 0.999
    assert len(asked.asked) < 400
    assert len({tuple(state["jobs"]) for state in asked.asked}) == len(asked.asked)  # nothing twice


def test_nobody_is_asked_where_there_is_one_choice():
    plan = compose(["task=scheduling", "evaluation.parameter_sets=1"])[0]
    case = draw(plan.task, plan.evaluation)[0]
    rule, asked = registry.policies("scheduling")["c_mu"], []

    def decide(state, choices):
        asked.append((state, choices))
        return rule(state, choices)

    found = ask(case, decide, rule)
    assert len(asked) > 0
    assert all(labels == ["1", "2"] and min(state["jobs"]) > 0 for state, labels in asked)
    assert found.cost == pytest.approx(case.policies["c_mu"].cost, rel=2e-3)
    assert found.tabulated >= 0.999


def test_a_policy_that_overloads_a_server_is_unstable(cases):
    found = ask(cases[0], lambda state, choices: "B", shortest_expected_delay)
    assert found.cost is None


def examination(cases: list[Case], task: Any) -> Examination:
    """An examination of which only the policies' costs are known."""
    none: Any = None
    settings = EvaluationConfig()
    return Examination(task, settings, cases, "optimum", none, none, {}, 0.0, None, [], [])


def gap_closed(cases: list[Case]):
    task: Any = SimpleNamespace(heuristic="heuristic")
    return HeuristicGapClosed()(examination(cases, task))["in_distribution"]


def pooled(costs: dict[str, list]) -> list[Case]:
    """Cases with given exact costs."""
    params: Any = None
    chain: Any = object()
    count = len(next(iter(costs.values())))
    return [
        Case(
            "in_distribution", n, params, chain, {name: Examined(values[n]) for name, values in costs.items()}
        )
        for n in range(count)
    ]


def test_ratios_pool_totals_over_parameter_sets():
    cases = pooled({"student": [1.1, 10.0], "heuristic": [1.2, 12.0], "optimum": [1.0, 10.0]})
    over = summaries.over(cases, "in_distribution", "student", "optimum", 0)
    assert over is not None and over.mean == pytest.approx(11.1 / 11.0 - 1)
    gap = gap_closed(cases)
    assert gap is not None and gap.mean == pytest.approx((13.2 - 11.1) / (13.2 - 11.0))
    assert over.low <= over.mean <= over.high


def test_regret_is_cost_beyond_the_reference_over_decisions(cases, config):
    confirm(config.task, config.evaluation, cases[:1], map, lambda done, total: None)

    def regret(policy: str):
        case = cases[0]
        policies = {**case.policies, "student": case.policies[policy]}
        alone = Case("default", 0, case.params, case.chain, policies)
        return RegretPerDecision()(examination([alone], config.task))["default"]

    found = regret("join_shortest_queue")
    assert found is not None
    # Two jobs a minute arrive, and each is decided about.
    assert found.mean == pytest.approx((JSQ - BEST) / 2.0, rel=0.03)
    assert regret("random") is None


def test_a_policy_that_earns_less_is_over_one_that_earns_more():
    cases = pooled({"student": [-8.0], "heuristic": [-12.0], "optimum": [-10.0]})
    excesses = [
        summaries.over(cases, "in_distribution", name, "optimum", 0) for name in ("student", "heuristic")
    ]
    assert [found.mean for found in excesses if found is not None] == pytest.approx([0.2, -0.2])


def test_an_unstable_set_leaves_no_ratio():
    cases = pooled({"student": [1.1, None], "heuristic": [1.2, 12.0], "optimum": [1.0, 10.0]})
    assert summaries.over(cases, "in_distribution", "student", "optimum", 0) is None
    assert gap_closed(cases) is None


def test_no_gap_is_closed_where_the_heuristic_is_optimal():
    cases = pooled({"student": [1.1, 10.0], "heuristic": [1.0, 10.0], "optimum": [1.0, 10.0]})
    assert gap_closed(cases) is None


def test_a_random_policy_draws_each_replications_own_numbers():
    task = compose(["task=queueing", "task.horizon=100", "task.warm_up=0"])[0].task
    policy = Queueing.policies["best_static_split"]
    plans = [Plan(task, Queueing.parse({}), policy, 0, number) for number in (0, 1, 0)]
    first, other, again = map(simulate, plans)
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
