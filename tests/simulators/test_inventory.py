"""A single stock against known answers: by formula, by chain, by value iteration, and by simulation."""

import dataclasses
import json
import math
from importlib.resources import files

import gymnasium
import numpy as np
import pytest

import simdistill  # noqa: F401 (makes the simulators known to Gymnasium)
from simdistill.config import compose
from simdistill.envs.prompts import Prompter
from simdistill.errors import InputError
from simdistill.mdp import choice_values, evaluate, optimum, tabulate, uniform_policy
from simdistill.simulation import TEST, KnownCase, numbers
from simdistill.simulation.branching import what_if
from simdistill.simulation.rollout import replicate, run_policy
from simdistill.simulation.situations import Episode
from simdistill.simulators.inventory import BaseStock, Constant, Inventory, ReorderPoint, base_stock, myopic
from simdistill.simulators.references.inventory.backorders import reorder_cost
from simdistill.simulators.references.inventory.chains import lost_run, waiting_run
from simdistill.simulators.references.inventory.optimum import optimal
from simdistill.simulators.references.inventory.policies import best, policy_cost
from simdistill.statistics import mean_estimate

POISSON = {"name": "poisson", "mean": 5}
LOST = {"demand": POISSON, "lead_time": 2, "holding_cost": 1, "penalty": 9}
WAITING = {"demand": POISSON, "lead_time": 0, "holding_cost": 1, "backorder_cost": 9}
NEWS = {"demand": {"name": "normal", "mean": 50, "sd": 8}, "holding_cost": 0.18, "stockout_cost": 0.7}


def known(family, parameters, policy, **rest):
    given = {"id": "a-case", "conventions": {}, "run": {}, "expected": (), **rest}
    return KnownCase(family=family, parameters=parameters, policy=policy, **given)


def shipped():
    text = (files("simdistill.simulators") / "known_answers" / "inventory.json").read_text()
    for case in json.loads(text):
        if case["family"] in Inventory.families:
            names = {field.name for field in dataclasses.fields(KnownCase)}
            given = {"conventions": {}, "run": {}, **case, "expected": tuple(case["expected"])}
            yield KnownCase(**{name: value for name, value in given.items() if name in names})


CASES = list(shipped())


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_known_answers_are_solved(case):
    solved = Inventory.experiment(case).solved
    for expected in case.expected:
        assert solved[expected["measure"]]() == pytest.approx(expected["value"], abs=expected["tolerance"])


def simulated(experiment, replications=8, horizon=1500.0):
    return mean_estimate(
        [
            replicate(
                Inventory, experiment.params, experiment.policy, (5, TEST, 0, n), experiment.warm_up, horizon
            ).cost
            for n in range(replications)
        ]
    )


@pytest.mark.parametrize(
    ("family", "parameters", "policy"),
    [
        ("lost_sales", LOST, {"name": "optimal"}),
        ("lost_sales", LOST, {"name": "capped_base_stock", "S": 19, "cap": 6}),
        (
            "lost_sales",
            {**LOST, "demand": {"name": "geometric", "mean": 5}},
            {"name": "constant", "units": 4},
        ),
        ("lost_sales", {**LOST, "lead_time": 0, "order_cost": 10}, {"name": "optimal"}),
        ("backorders", WAITING, {"name": "base_stock", "S": 8}),
        ("backorders", {**WAITING, "lead_time": 1, "order_cost": 20}, {"name": "s_S", "s": 9, "S": 22}),
        (
            "backorders",
            {**WAITING, "demand": {"name": "gamma", "shape": 4, "mean": 5}, "lead_time": 1},
            {"name": "base_stock", "S": 14.5},
        ),
        ("newsvendor", NEWS, {"name": "optimal"}),
    ],
)
def test_simulation_confirms_the_solvers(family, parameters, policy):
    experiment = Inventory.experiment(known(family, parameters, policy))
    interval = simulated(experiment)
    slack = 0.3 * (interval.high - interval.low)  # eight cases, each at 95%
    exact = experiment.solved["cost_per_period"]()
    assert interval.low - slack < exact < interval.high + slack
    assert interval.high - interval.low < 0.15 * exact


@pytest.mark.parametrize(
    ("demand", "lead_time", "penalty", "cost"),
    # Zipkin 2008, Old and new methods for lost-sales inventory systems, tables of the optimal policy.
    [
        ("poisson", 3, 4, 4.60),
        ("poisson", 4, 4, 4.73),
        ("geometric", 3, 4, 10.47),
        ("geometric", 4, 9, 16.58),
    ],
)
def test_long_lead_times_agree_with_zipkin(demand, lead_time, penalty, cost):
    params = Inventory.parse({"demand": demand, "lead_time": lead_time, "shortage_cost": penalty})
    assert optimal(params).cost == pytest.approx(cost, abs=0.006)


def test_two_solvers_agree_on_the_optimum():
    for values in ({}, {"order_cost": 8.0, "max_order": 18, "lead_time": 1}):
        params = Inventory.parse(values)
        process = Inventory.markov(params, 40)
        found = optimum(process, tabulate(process, base_stock))[1]
        assert found.boundary < 1e-9
        assert found.cost == pytest.approx(optimal(params).cost, rel=1e-5)
    waiting = Inventory.parse({"lost_sales": False, "lead_time": 1, "order_cost": 20.0, "max_order": 30})
    process = Inventory.markov(waiting, 40)
    found = optimum(process, tabulate(process, base_stock))[1]
    assert found.cost == pytest.approx(policy_cost(waiting, best("s_S", waiting)), rel=1e-6)


def test_formula_and_chain_agree_on_a_reorder_point():
    params = Inventory.parse({"lost_sales": False, "lead_time": 1, "order_cost": 20.0})
    assert reorder_cost(params, 6, 24) == pytest.approx(waiting_run(params, ReorderPoint(6, 24)), rel=1e-9)


def test_the_decision_process_is_what_is_observed():
    process = Inventory.markov({}, 40)
    assert len(process.states) <= 20_000
    states = {json.dumps(state) for state in process.states}
    model = Inventory({}, (1, 2))
    for _ in range(50):
        decision = model.advance()
        assert json.dumps(model.state(decision)) in states
        assert decision.labels == list(process.labels)
        model.answer(myopic(model.observe_unchecked(decision), decision.labels))


def test_policies_cost_what_their_names_promise():
    params = Inventory.parse({})
    process = Inventory.markov(params, 40)
    cost = {name: evaluate(process, tabulate(process, p)).cost for name, p in Inventory.policies.items()}
    lowest = optimum(process, tabulate(process, base_stock))[1].cost
    assert lowest < cost["capped_base_stock"] < cost["myopic"] < cost["base_stock"] < cost["constant"]
    assert 0.03 < cost["base_stock"] / lowest - 1 < 0.04
    assert best("base_stock", params) == BaseStock(19)
    assert best("capped_base_stock", params) == BaseStock(19, 6)
    assert all(lost_run(params, BaseStock(19)) <= lost_run(params, BaseStock(s)) for s in (18, 20))
    assert best("constant", params) == Constant(4)


def test_best_constants_of_a_case_are_found():
    case = known("backorders", {**WAITING, "order_cost": 64, "demand": {"name": "poisson", "mean": 10}}, {})
    for policy in ({"name": "s_S"}, {"name": "optimal"}):
        solved = Inventory.experiment(dataclasses.replace(case, policy=policy)).solved
        assert (solved["s"](), solved["S"]()) == (6, 40)
    solved = Inventory.experiment(known("lost_sales", LOST, {"name": "base_stock", "S": "best"})).solved
    assert solved["base_stock_level"]() == 19


def test_an_idle_policy_and_one_that_never_changes_are_evaluated():
    # Neither ever comes to the empty system with nothing on order and back by the same way.
    process = Inventory.markov({}, 40)
    for column, cost in ((0, 45.0), (4, lost_run(Inventory.parse({}), Constant(4)))):
        always = np.eye(len(process.labels))[[column] * len(process.states)]
        assert evaluate(process, always).cost == pytest.approx(cost, rel=1e-6)
    assert evaluate(process, uniform_policy(process)).cost > 10


@pytest.mark.parametrize("number", range(4))
def test_whatever_a_policy_does_its_long_run_is_found(number):
    values = {"lost_sales": False, "lead_time": 1, "mean_demand": 2.0, "order_cost": 4.0}
    process = Inventory.markov(values, 40)
    rows = np.random.default_rng(number).choice(10, number + 1)
    taken = rows[np.random.default_rng(number).integers(0, number + 1, len(process.states))]
    policy_SC = np.eye(10)[taken]
    evaluation = evaluate(process, policy_SC)
    flow_S = process.system(policy_SC)[0].T @ evaluation.stationary_S
    np.testing.assert_allclose(flow_S, 0.0, atol=1e-9)
    assert evaluation.stationary_S.min() > -1e-12


def test_what_if_agrees_with_the_exact_difference():
    episode = Episode(Inventory({}, (3, 4)))
    while (situation := episode.advance()) is not None and len(situation.actions) < 6:
        episode.answer(base_stock(situation.state, situation.choices))
    assert situation is not None
    values = what_if(Inventory, situation, base_stock, futures=150, horizon=20.0)
    assert values.coupled_CK.all()
    process = Inventory.markov({}, 40)
    exact_SC = choice_values(process, evaluate(process, tabulate(process, base_stock)))
    row = process.states.index(situation.state)
    difference_C = exact_SC[row] - exact_SC[row, values.base]
    error_C = np.abs(values.mean_C - difference_C)
    assert (error_C <= 3.5 * values.standard_error_C + 1e-9).all()
    assert error_C.max() < 0.2 * np.ptp(difference_C)


class Audited(Inventory):
    """Notes what comes in and goes out."""

    def build(self):
        self.ordered = self.demanded = self.unmet = 0
        super().build()

    def place(self, order):
        self.ordered += order
        super().place(order)

    def sell(self, demand):
        self.demanded += demand
        if self.params.lost_sales:
            self.unmet += max(0, demand - self.on_hand)
        super().sell(demand)


@pytest.mark.parametrize("lost_sales", [True, False])
@pytest.mark.parametrize("lead_time", [0, 1, 3])
def test_no_unit_is_lost_or_made(lost_sales, lead_time):
    params = {"lost_sales": lost_sales, "lead_time": lead_time, "initial_stock": 7}
    model = Audited(params, (1, 2))
    run_policy(model, myopic, 200.0)
    assert 7 + model.ordered == model.demanded - model.unmet + model.on_hand + sum(model.on_order)
    assert len(model.on_order) == lead_time
    if lost_sales:
        assert model.on_hand >= 0 and model.unmet > 0


def test_an_order_arrives_after_the_lead_time():
    model = Inventory({"demand": "deterministic", "mean_demand": 1, "lead_time": 3}, (0,))
    seen = []
    for label in "900000":
        state = model.observe_unchecked(model.advance())
        seen.append((state["on_hand"], state["on_order"]))
        model.answer(label)
    assert seen == [(0, [0, 0]), (0, [0, 9]), (0, [9, 0]), (9, [0, 0]), (8, [0, 0]), (7, [0, 0])]
    model.advance()
    assert model.costs() == {"ordering": 0.0, "holding": 8 + 7 + 6, "shortage": 27}


def test_perishable_stock_is_gone_after_its_period():
    params = {"perishable": True, "lead_time": 0, "demand": "deterministic", "mean_demand": 3}
    model = Inventory(params, (0,))
    for label in ("5", "1"):
        assert model.observe_unchecked(model.advance())["on_hand"] == 0
        model.answer(label)
    model.advance()
    assert model.costs() == {"ordering": 0.0, "holding": 2, "shortage": 18}


def test_demand_does_not_depend_on_what_is_ordered():
    demands = []
    for label in ("0", "9"):
        model = Audited({}, (8, 1))
        run_policy(model, lambda state, choices, label=label: label, 50.0)
        demands.append(model.demanded)
    assert demands[0] == demands[1]


def test_lots_and_illegal_answers():
    model = Inventory({"lot_size": 12, "max_order": 3}, (0,))
    decision = model.advance()
    assert decision.labels == ["0", "1", "2", "3"]
    model.answer("2")
    assert model.advance() is not None and model.on_order == [24]
    model.answer("a lot")
    assert model.illegal_answers == 1
    assert BaseStock(19)({**model.terms, "on_hand": 3, "on_order": [0]}, decision.labels) == "1"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lead_time": -1}, "lead_time = -1"),
        ({"mean_demand": 0}, "mean_demand = 0"),
        ({"demand": "zipf"}, "demand = 'zipf'"),
        ({"demand": "normal"}, "no normal with mean 5 and sd None"),
        ({"demand": "negative_binomial", "demand_sd": 2.0}, "variance above its mean"),
        ({"demand_sd": 3.0}, "standard deviation of 2.236"),
        ({"initial_stock": -3}, "nobody waits"),
        ({"perishable": True}, "lead_time: 0"),
        ({"backlog": 3}, "backlog"),
    ],
)
def test_wrong_parameters_are_reported(values, message):
    with pytest.raises(InputError, match=message):
        Inventory.parse(values)


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (known("lost_sales", {**LOST, "salvage": 1}, {"name": "optimal"}), "unknown parameters salvage"),
        (
            known("lost_sales", {"demand": POISSON}, {"name": "optimal"}),
            "the parameter 'holding_cost' is missing",
        ),
        (known("lost_sales", LOST, {"name": "clairvoyant"}), "no policy 'clairvoyant'"),
        (
            known("lost_sales", LOST, {}, conventions={"sequence": "demand, order"}),
            "sequence 'demand, order'",
        ),
        (known("lost_sales", {**LOST, "demand": {"name": "erlang", "shape": 2}}, {}), "needs shape, mean"),
    ],
)
def test_cases_that_cannot_be_reproduced_are_reported(case, message):
    with pytest.raises(InputError, match=message):
        Inventory.experiment(case)


def test_a_stock_or_backlog_that_grows_has_no_average():
    with pytest.raises(InputError, match="the stock grows without bound"):
        lost_run(Inventory.parse({}), Constant(6))
    with pytest.raises(InputError, match="the backlog grows without bound"):
        waiting_run(Inventory.parse({"lost_sales": False}), BaseStock(20, 4))


def test_a_longer_lead_time_makes_the_observation_longer():
    with pytest.warns(DeprecationWarning, match="upgrading to version `v1`"):
        env = gymnasium.make("simdistill/Inventory-v0")
    observation, info = env.reset(seed=1)
    assert observation.tolist() == numbers(info["state"])
    flat, _ = gymnasium.make("simdistill/Inventory-v1", flat=True).reset(seed=1)
    assert flat.tolist() == [1.0] + 10 * [0.0] + numbers(info["state"])  # poisson, of eleven distributions
    env = gymnasium.make("simdistill/Inventory-v1", flat=True, lead_time=3, demand="geometric")
    longer, _ = env.reset(seed=1)
    assert longer.size == flat.size + 1 and longer[:3].tolist() == [0.0, 1.0, 0.0]


def test_at_the_end_the_observation_is_what_the_next_order_would_be_decided_on():
    env = gymnasium.make("simdistill/Inventory-v1", horizon=9.5)
    longer = gymnasium.make("simdistill/Inventory-v1", horizon=10.5)
    for seed in range(20):
        for each in (env, longer):
            each.reset(seed=seed)
        for period in range(10):
            *_, truncated, last = env.step(period)
            _, _, _, _, following = longer.step(period)
        assert truncated and last["observed_at_end"]
        assert last["state"] == following["state"]


@pytest.mark.parametrize("name", ["inventory", "inventory_backorders"])
def test_tasks_compose_and_put_states_into_words(name):
    task = compose([f"task={name}"])[0].task
    language = Prompter(task.language)
    process = Inventory.markov(task.parameters.default, 40)
    assert process.labels == list("0123456789")
    words = {language.situation(state) for state in process.states}
    assert len(words) == len(process.states)
    assert max(len(text) for text in words) < 140
    for state in process.states:
        asked = state["mean_demand"] * (state["lead_time"] + 1) - state["on_hand"] - sum(state["on_order"])
        assert language.situation(state).endswith(f"Net requirement {asked:.1f}.")
    assert math.isfinite(evaluate(process, tabulate(process, Inventory.policies[task.heuristic])).cost)
