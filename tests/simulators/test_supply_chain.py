"""Supply chains against known answers: Clark and Scarf's recursion, and the Beer Game."""

import math
from typing import Any

import numpy as np
import pytest

import simdistill  # noqa: F401 (makes the simulators known to Gymnasium)
from simdistill.config import compose
from simdistill.envs.prompts import Prompter
from simdistill.errors import InputError
from simdistill.simulation import TEST, KnownCase
from simdistill.simulation.branching import what_if
from simdistill.simulation.distributions import of_moments
from simdistill.simulation.policies import RandomPolicy
from simdistill.simulation.rollout import replicate, run_policy
from simdistill.simulation.situations import Episode
from simdistill.simulation.streams import Streams
from simdistill.simulators.references.supply_chain.clark_scarf import SerialSystem, best_levels, effective
from simdistill.simulators.supply_chain import SupplyChain, echelon_base_stock, order_up_to, pass_through
from simdistill.verification.cases import packaged

CASES = {case.family: case for case in packaged() if case.family in SupplyChain.families}
BEER = CASES["beer_game"]
SERIAL = {"demand": {"name": "poisson", "mean": 4}, "local_holding_costs": [3, 1], "lead_times": [2, 1]}


def serial(policy: dict, **changed: Any) -> KnownCase:
    return KnownCase("x", "serial_system", {**SERIAL, "backorder_cost": 20, **changed}, policy, {}, {}, ())


def beer(policy: dict, conventions: dict | None = None, **changed: Any) -> KnownCase:
    return KnownCase("x", "beer_game", {**BEER.parameters, **changed}, policy, conventions or {}, {}, ())


def simulated(case: KnownCase, seed: int = 0, horizon: float | None = None):
    experiment = SupplyChain.experiment(case)
    assert experiment.policy is not None
    return experiment, replicate(
        SupplyChain,
        experiment.params,
        experiment.policy,
        (5, TEST, 0, seed),
        experiment.warm_up,
        horizon or experiment.horizon,
        experiment.terminating,
    )


def by_stage(case: KnownCase) -> tuple[Any, Any]:
    """Costs of the stages of a game, on the board and simulated."""
    experiment, replication = simulated(case)
    measure: Any = experiment.measures["cost_by_stage"]
    assert sum(measure(replication)) == pytest.approx(replication.cost)
    assert replication.cost == pytest.approx(experiment.solved["total_cost"](), rel=1e-3)
    return experiment.solved["cost_by_stage"](), measure(replication)


def test_the_beer_game_costs_what_sterman_says():
    known = {expected["measure"]: expected["value"] for expected in BEER.expected}
    solved, measured = by_stage(BEER)
    assert solved == measured == known["cost_by_stage"]
    assert simulated(BEER)[1].cost == known["total_cost"] == 204


@pytest.mark.parametrize(
    "case",
    [
        beer({"name": "pass_through"}),
        beer({"name": "order_up_to", "S": [20, 24, 24, 20]}),
        beer({"name": "order_up_to", "order": "max(0, 6 + S - net inventory - on order)", "S": 22}),
        beer(
            {"name": "order_up_to", "S": [20, 20, 14]},
            {"forced": "orders are 4 in weeks 1-6"},
            stages=3,
            shipping_delay=1,
            order_delay=2,
            production_delay=3,
            initial_on_order=[16, 16, 16],
            demand=[[1, 4], [5, 8], [15, 3]],
            backlog_cost=[2, 1, 1],
            holding_cost=[1, 0.5, 0.25],
            weeks=50,
        ),
        beer({"name": "order_up_to", "S": [28, 28, 28, 20]}, initial_on_order=[12, 16, 8, 12]),
    ],
    ids=["pass-through", "other levels", "other anchor", "other chain", "orders not counted"],
)
def test_other_games_cost_what_they_cost_on_the_board(case):
    solved, measured = by_stage(case)
    assert solved == measured


def test_stermans_rule_costs_what_it_costs_on_the_board():
    rule = {"name": "anchor_and_adjust", "theta": 0.36, "alpha": 0.26, "beta": 0.34, "desired": 17}
    solved, measured = by_stage(beer(rule))
    assert measured == pytest.approx(solved, rel=5e-3)  # orders in hundredths here, any number there
    assert sum(measured) > 2 * 204


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (beer({"name": "oracle"}), "pass_through, order_up_to and anchor_and_adjust; got 'oracle'"),
        (beer({"name": "sterman", "alpha": 0.3}), "needs theta, alpha, beta and desired"),
        (serial({"name": "pass_through"}), "echelon_base_stock and base_stock, with S, and optimal"),
    ],
)
def test_unknown_policies_are_refused(case, message):
    with pytest.raises(InputError, match=message):
        SupplyChain.experiment(case)


def test_clark_and_scarf_agrees_with_the_known_answer():
    case = CASES["serial_system"]
    [expected] = case.expected
    solved = SupplyChain.experiment(case).solved["cost_per_period"]()
    assert solved == pytest.approx(expected["value"], abs=expected["tolerance"])
    # Echelon levels of Snyder and Shen's example 6.1.
    best = best_levels("normal", 5.0, 1.0, (1, 1, 2), (7.0, 4.0, 2.0), 37.12)
    assert best == pytest.approx((6.49, 12.02, 22.71), abs=0.01)


def test_one_stage_is_a_newsvendor():
    demand = of_moments("poisson", 10.0)
    over_two = of_moments("poisson", 20.0)
    [level], cost = SerialSystem(demand, [2], [1.0], 9.0).solve()
    assert over_two.cdf(level - 1) < 0.9 <= over_two.cdf(level)
    left_N = level - np.arange(len(over_two.probabilities))
    expected = over_two.probabilities @ np.where(left_N > 0, left_N, -9.0 * left_N)
    assert cost == pytest.approx(expected, rel=1e-9)


def test_fractions_of_whole_demand_interpolate():
    demand = of_moments("poisson", 4.0)
    whole = SerialSystem(demand, [2, 1], [3.0, 1.0], 20.0).solve([12.0, 17.0])[1]
    assert SerialSystem(demand, [2, 1], [3.0, 1.0], 20.0, True).solve([12.0, 17.0])[1] == pytest.approx(whole)


def test_the_best_levels_can_not_be_bettered():
    system = SerialSystem(of_moments("gamma", 5.0, 3.0), [1, 2], [3.0, 1.0], 15.0)
    levels, cost = system.solve()
    assert system.solve(levels)[1] == pytest.approx(cost)
    for stage in (0, 1):
        for by in (-1.0, 1.0):
            moved = [level + by * (stage == n) for n, level in enumerate(levels)]
            assert system.solve(moved)[1] > cost


@pytest.mark.parametrize(
    "case",
    [
        serial({"name": "echelon_base_stock", "S": [12, 16]}),
        serial({"name": "base_stock", "S": [14, 3]}),
        serial({"name": "echelon_base_stock", "S": [18, 15]}),
        serial({"name": "optimal"}, demand={"name": "geometric", "mean": 3}),
        serial({"name": "optimal"}, demand={"name": "gamma", "shape": 4, "mean": 8}, backorder_cost=9),
        serial(
            {"name": "echelon_base_stock", "S": [5, 11, 14, 18.5]},
            demand={"name": "uniform", "low": 1, "high": 5},
            local_holding_costs=[4, 3, 2, 1],
            lead_times=[1, 2, 1, 1],
        ),
    ],
    ids=["poisson", "local levels", "falling levels", "geometric", "gamma", "four stages"],
)
def test_simulated_serial_systems_cost_what_the_recursion_says(case):
    costs = []
    for seed in range(6):
        experiment, replication = simulated(case, seed, 800.0)
        costs.append(replication.cost)
    half = 4.0 * float(np.std(costs, ddof=1)) / math.sqrt(len(costs))
    assert half < 0.15 * np.mean(costs)
    assert np.mean(costs) == pytest.approx(experiment.solved["cost_per_period"](), abs=half)


def test_levels_with_the_same_effect_never_fall():
    assert effective([18, 15, 20, 17]) == (15, 15, 17, 17)


def test_local_and_echelon_view_order_the_same():
    costs = {
        view: replicate(SupplyChain, {"view": view}, echelon_base_stock, (0, TEST, 0, 0), 50.0, 200.0).cost
        for view in ("local", "echelon")
    }
    assert costs["local"] == costs["echelon"]


def test_goods_are_neither_lost_nor_made():
    model = SupplyChain(
        {"periods": 200, "order_delays": (1, 0, 2), "initial_flow": 5, "demand_mean": 6}, (3,)
    )
    held = sum(model.stock) + sum(map(sum, model.shipments)) + sum(max(0.0, -s) for s in model.stock[1:])
    bought, stages = 0.0, range(3)
    policy = RandomPolicy(Streams((1,)))
    while (decision := model.advance()) is not None:
        for stage in stages[:-1]:
            owed = max(0.0, -model.stock[stage + 1])
            under_way = sum(model.shipments[stage]) + sum(model.slips[stage]) + owed
            assert model.on_order[stage] == under_way or decision.about["stage"] <= stage
        label = policy(model.observe_unchecked(decision), decision.labels)
        if decision.about["stage"] == 2:
            bought += model.slips[2][0] if model.slips[2] else float(label)
        model.answer(label)
    owed = sum(max(0.0, -s) for s in model.stock[1:])
    kept = sum(model.stock) + owed + sum(map(sum, model.shipments))
    assert held + bought - model.demanded == kept


def test_policies_order_what_they_should():
    choices = [str(n) for n in range(16)]
    state = {
        "stage": 0,
        "incoming": 7,
        "stock": -2,
        "on_order": 4,
        "forecast": 5.0,
        "demand": "normal",
        "demand_sd": 1.0,
        "lead_times": [1, 1, 2],
        "holding_costs": [7.0, 4.0, 2.0],
        "backlog_costs": [37.12, 0.0, 0.0],
        "echelon_position": 2,
    }
    assert pass_through(state, choices) == "7"
    assert order_up_to(state, choices) == "4"  # 5 + 1.0 x 1 - 2
    assert echelon_base_stock(state, choices) == "4"  # 6.49 - 2
    assert echelon_base_stock({**state, "stage": 2, "echelon_position": 9}, choices) == "14"  # 22.71 - 9
    assert pass_through({**state, "incoming": 99}, choices) == "15"


def test_one_unit_too_many_costs_what_the_recursion_says():
    """A single stage orders one more than its level; base-stock mends that in the next period."""
    one = {
        "demand": "poisson",
        "demand_mean": 4,
        "holding_costs": [1],
        "backlog_costs": [9],
        "lead_times": [2],
    }
    one |= {"order_delays": [0], "initial_stock": [11], "largest_order": 14}
    situation = Episode(SupplyChain(one, (0,))).advance()
    assert situation is not None
    values = what_if(SupplyChain, situation, echelon_base_stock, 100, 10.0)
    assert values.coupled_CK.all()
    system = SerialSystem(of_moments("poisson", 4.0), [2], [1.0], 9.0)
    [level], best = system.solve()
    assert situation.state["stock"] + situation.state["on_order"] + values.base == level
    expected = system.solve([level + 1])[1] - best
    error = values.standard_error_C[values.base + 1]
    assert values.mean_C[values.base + 1] == pytest.approx(expected, abs=4.0 * error)
    assert 0.0 < error < 0.3


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"lead_times": (1, 1)}, "lead_times has 2 numbers for 3 stages"),
        ({"lead_times": (1, 0, 1)}, "greater than 0"),
        ({"holding_costs": (-1, 1, 1)}, "greater than or equal to 0"),
        ({"demand_mean": 20}, "largest_order 15 must exceed the mean demand 20"),
        ({"step_periods": (5,), "step_means": (16,)}, "must exceed the mean demand 16"),
        ({"step_periods": (5, 3), "step_means": (6, 7)}, "must rise"),
        ({"step_periods": (5,)}, "as many numbers as step_means"),
        ({"order_step": 20}, "1 to 100,000 times order_step 20"),
        ({"demand": "poison"}, "no poison with mean 5"),
        ({"demand": "normal"}, "by mean and sd binomial"),
        ({"view": "all"}, "'local' or 'echelon'"),
    ],
)
def test_bad_parameters_are_explained(params, message):
    with pytest.raises(InputError, match=message):
        SupplyChain(params)


def test_an_illegal_order_is_counted():
    model = SupplyChain({"periods": 3})
    run_policy(model, lambda state, choices: "many", 10.0)
    assert model.illegal_answers == 9 and model.ended


@pytest.mark.parametrize("task", ["supply_chain", "beer_game"])
def test_tasks_tell_a_situation_shortly(task):
    [config] = compose([f"task={task}"])
    model = SupplyChain(config.task.parameters.default)
    decision = model.advance()
    assert decision is not None
    assert len(Prompter(config.task.language).situation(model.state(decision))) < 220


def test_stermans_game_is_a_scenario_that_training_never_shows():
    [config] = compose(["task=beer_game"])
    ranges = config.task.parameters.out_of_distribution.values
    game = {
        name: [spread[0].low] if isinstance(spread, list) else spread.low for name, spread in ranges.items()
    }
    default = config.task.parameters.default
    params = {**default, **game, "lead_times": default["lead_times"]}
    params["step_periods"] = [int(period) for period in params["step_periods"]]
    played = replicate(SupplyChain, params, pass_through, (0, TEST, 0, 0), 0.0, 36.0, terminating=True)
    known = SupplyChain.experiment(beer({"name": "pass_through"}))
    assert played.cost == known.solved["total_cost"]()
