"""The help line against the example of NHS 111, and its staffing."""

import json
from importlib.resources import files

import pytest

import simdistill  # noqa: F401 (makes the simulators known to Gymnasium)
from simdistill.config import compose
from simdistill.envs.prompts import Prompter
from simdistill.errors import InputError
from simdistill.simulation import TEST, KnownCase
from simdistill.simulation.policies import RandomPolicy
from simdistill.simulation.rollout import replicate, run_policy
from simdistill.simulation.streams import Streams
from simdistill.simulators.help_line import HelpLine
from simdistill.statistics import mean_estimate

ANSWERS = json.loads(files("simdistill.simulators.known_answers").joinpath("services.json").read_text())
CASES = [case for case in ANSWERS if case["family"] == "call_center_network"]


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_simulation_agrees_with_known_answers(case):
    experiment = HelpLine.experiment(
        KnownCase(case["id"], case["family"], case["parameters"], {}, case["conventions"], case["run"], ())
    )
    assert experiment.policy is not None and experiment.horizon == 1000.0
    runs = [
        replicate(HelpLine, experiment.params, experiment.policy, (0, TEST, n), 0.0, 1000.0).measures
        for n in range(24)
    ]
    for expected in case["expected"]:
        simulated = mean_estimate([run[expected["measure"]] for run in runs])
        assert simulated.low - expected["tolerance"] < expected["value"]
        assert expected["value"] < simulated.high + expected["tolerance"]
        assert simulated.high - simulated.low < 0.8 * simulated.mean


def test_each_hour_both_desks_are_staffed_and_then_it_closes():
    model = HelpLine({}, (1, TEST))
    met = []
    run_policy(
        model,
        HelpLine.policies["erlang_c"],
        1e5,
        lambda d, state, label: met.append((model.env.now, d.about)),
    )
    assert met == [(60.0 * hour, desk) for hour in range(6) for desk in (0, 1)]
    assert model.ended and not any(desk.waiting or desk.serving for desk in model.desks)
    totals = model.totals()
    assert totals["arrived"][0] == totals["time_in_system"][1] > 150
    assert totals["in_system"][0] == pytest.approx(totals["time_in_system"][0])  # Little's law


def test_callers_may_wait_already_when_it_opens():
    model = HelpLine({"waiting_at_start": (20, 12)}, (1, TEST))
    seen = []
    run_policy(model, HelpLine.policies["erlang_c"], 1e5, lambda d, state, label: seen.append(state))
    assert seen[0]["waiting"] == seen[1]["waiting"] == [20, 12] and seen[0]["hour"] == 1
    assert model.ended and not any(desk.waiting or desk.serving for desk in model.desks)
    totals = model.totals()
    assert totals["arrived"][0] == totals["time_in_system"][1]
    assert totals["in_system"][0] == pytest.approx(totals["time_in_system"][0])  # Little's law
    assert totals["nurse_wait_min"][1] >= 12 and totals["operator_wait_min"][1] == totals["arrived"][0] - 12


def test_who_is_with_a_caller_when_duty_ends_finishes_the_call():
    model = HelpLine({"fewest": 1, "profile": (1.0,)}, (1, TEST))
    run_policy(model, lambda state, labels: labels[-1] if state["hour"] == 1 else labels[0], 61.0)
    assert model.operators.staff == 1 < len(model.operators.serving)


def test_the_authors_policies():
    state = {
        "desk": 1,
        "calls_per_hour": 40.0,
        "share_to_nurse": 0.4,
        "minutes": [7.3, 15.0],
        "staff_costs": [18.0, 36.0],
        "waiting_costs": [40.0, 15.0],
        "waiting": [0, 8],
    }
    choices = [str(n) for n in range(3, 12)]
    staff = {name: int(policy(state, choices)) for name, policy in HelpLine.policies.items()}
    assert staff == {"erlang_c": 6, "erlang_c_backlog": 8, "least_cost": 5, "least_cost_backlog": 8}
    assert HelpLine.policies["erlang_c"]({**state, "desk": 0}, choices) == "8"


def test_cheap_waiting_makes_staff_of_least_cost_cheaper_than_a_service_level():
    costs = {
        name: [
            replicate(HelpLine, {}, HelpLine.policies[name], (0, TEST, n), 0.0, 1e5, True).cost
            for n in range(12)
        ]
        for name in ("erlang_c", "least_cost")
    }
    saved = [a - b for a, b in zip(costs["erlang_c"], costs["least_cost"], strict=True)]
    assert mean_estimate(saved).low > 0
    assert costs["erlang_c"][0] != costs["erlang_c"][1]


def test_random_and_illegal_answers_lose_no_caller():
    for policy in (RandomPolicy(Streams((1,))), lambda state, labels: "all"):
        model = HelpLine({}, (5, TEST))
        decisions = run_policy(model, policy, 1e5)
        assert model.ended and model.callers == 0
        assert model.illegal_answers in (0, decisions)


def test_load():
    params = HelpLine.parse({"profile": (1.0,), "calls_per_hour": 100, "operators": 13, "nurses": 9})
    assert params.load == pytest.approx(100 / 60 * 0.4 * 15 / 9)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"nurse_time_min": {"name": "uniform", "low": 20, "high": 10}}, r"in order, got \[20, 10\]"),
        ({"operator_time_min": {"name": "triangle"}}, "no distribution 'triangle'"),
        ({"share_to_nurse": 1.4}, "HelpLine.share_to_nurse = 1.4: Input should be less than or equal to 1"),
        ({"fewest": 5, "most": 4}, "fewest = 5 is above most = 4"),
        ({"profile": (0.0,)}, "profile must have a positive number"),
        ({"calls_per_hour": 0}, "HelpLine.calls_per_hour = 0: Input should be greater than 0"),
    ],
)
def test_a_wrong_parameter_is_named(parameters, message):
    with pytest.raises(InputError, match=message):
        HelpLine.parse(parameters)


def test_the_task_composes():
    task = compose(["task=nhs_111"])[0].task
    model = HelpLine(task.parameters.default, (1, TEST))
    decision = model.advance()
    assert decision is not None
    told = Prompter(task.language).situation(model.state(decision))
    assert told.splitlines() == [
        "Hour 1 of 6. Nurses 0, busy 0, waiting 0, new work 3.2.",
        "Operators 0, busy 0, waiting 0; cost 18, waiting costs 40.",
        "New work 3.9, all 3.9. How many operators?",
    ]
