"""Admission to a queue against Naor's thresholds and gains: by formula, by the chain, and by simulation."""

import json
from importlib.resources import files

import numpy as np
import pytest

import simdistill  # noqa: F401 (makes the simulators known to Gymnasium)
from simdistill.config import compose
from simdistill.errors import InputError
from simdistill.mdp import choice_values, evaluate, optimum, tabulate
from simdistill.simulation import TEST, KnownCase
from simdistill.simulation.branching import what_if
from simdistill.simulation.rollout import replicate, run_policy
from simdistill.simulation.situations import Episode
from simdistill.simulators.admission import (
    Admission,
    accept_all,
    individual,
    individual_threshold,
    social,
    social_threshold,
)
from simdistill.simulators.references.admission import gain_rate, optimal_threshold, revenue_threshold
from simdistill.statistics import mean_estimate


def known_cases() -> list[KnownCase]:
    told = json.loads((files("simdistill.simulators.known_answers") / "queues.json").read_text())
    return [
        KnownCase(**{"policy": {}, "conventions": {}, **case})
        for case in told
        if case["family"] == "admission"
    ]


CASES = known_cases()


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_known_answers(case):
    experiment = Admission.experiment(case)
    for expected in case.expected:
        value = experiment.solved[expected["measure"]]()
        assert value == pytest.approx(expected["value"], abs=expected["tolerance"] + 1e-12)


@pytest.mark.parametrize(
    "parameters",
    [{}, {"arrival_rate": 0.9, "reward": 20.0}, {"arrival_rate": 1.4, "reward": 20.0}, {"arrival_rate": 1.0}],
)
def test_formulas_and_chain_agree(parameters):
    params = Admission.parse(parameters)
    process = Admission.markov(params, 40)
    offered = params.arrival_rate * params.reward
    thresholds = (
        individual_threshold(params.service_rate, params.reward, params.waiting_cost),
        social_threshold(params.arrival_rate, params.service_rate, params.reward, params.waiting_cost),
    )
    for policy, threshold in zip((individual, social), thresholds, strict=True):
        evaluation = evaluate(process, tabulate(process, policy))
        assert offered - evaluation.cost == pytest.approx(gain_rate(params, threshold))
        assert evaluation.boundary == pytest.approx(0.0, abs=1e-12)
    best = optimum(process, tabulate(process, individual))[1]
    assert offered - best.cost == pytest.approx(gain_rate(params, thresholds[1]))
    assert optimal_threshold(params) == thresholds[1]


def test_a_toll_setter_lets_in_fewest():
    for reward in (4.0, 10.0, 25.0):
        params = Admission.parse({"reward": reward})
        social_one = social_threshold(0.8, 1.0, reward, 1.0)
        assert revenue_threshold(params) <= social_one <= individual_threshold(1.0, reward, 1.0)


@pytest.mark.parametrize(
    ("rate", "reward", "cost", "threshold"), [(1, 10, 1, 10), (0.5, 3, 1, 1), (3, 0.1, 1, 0)]
)
def test_individual_thresholds(rate, reward, cost, threshold):
    assert individual_threshold(rate, reward, cost) == threshold


def test_policies_at_their_thresholds():
    state = {"arrival_rate": 0.8, "service_rate": 1.0, "reward": 10.0, "waiting_cost": 1.0}
    policies = (individual, social, accept_all)
    asked = [[policy({**state, "jobs": n}, ["yes", "no"]) for policy in policies] for n in (3, 4, 9, 10)]
    assert asked == [["yes"] * 3, ["yes", "no", "yes"], ["yes", "no", "yes"], ["no", "no", "yes"]]


def test_simulation_confirms_the_gain():
    costs_R = [replicate(Admission, {}, social, (0, TEST, 0, n), 100.0, 2000.0).cost for n in range(12)]
    interval = mean_estimate(costs_R)
    assert interval.low < 8.0 - 5.462161 < interval.high
    assert interval.high - interval.low < 0.5


def test_the_law_of_little_and_no_job_lost():
    model = Admission({"initial_jobs": 3}, (1, 2))
    run_policy(model, individual, 500.0)
    totals = model.totals(500.0)
    inside = len(model.came)
    assert 3 + totals["arrived"][0] == totals["time_in_system"][1] + inside
    spent = totals["time_in_system"][0] + sum(500.0 - came for came in model.came)
    assert totals["in_system"][0] == pytest.approx(spent)
    assert model.costs(500.0)["waiting"] == pytest.approx(spent)
    refused = totals["accepted"][1] - totals["arrived"][0]
    assert model.costs(500.0)["rewards forgone"] == pytest.approx(10.0 * refused)


def test_what_if_agrees_with_the_chain():
    params = Admission.parse({})
    process = Admission.markov(params, 40)
    values_SC = choice_values(process, evaluate(process, tabulate(process, social)))
    model = Admission(params, (5, 1))
    episode = Episode(model)
    while (situation := episode.advance()) is not None and len(model.came) != 3:
        episode.answer(social(situation.state, situation.choices))
    assert situation is not None
    values = what_if(Admission, situation, social, futures=400, horizon=60.0)
    difference, error = values.mean_C[1], values.standard_error_C[1]
    assert values.coupled_CK.mean() > 0.95
    assert difference == pytest.approx(values_SC[3, 1] - values_SC[3, 0], abs=4 * error)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"arrival_rate": -1.0}, "Admission.arrival_rate = -1.0"),
        ({"reward": 0.0}, "Admission.reward = 0.0"),
        ({"initial_jobs": -2}, "Admission.initial_jobs = -2"),
        ({"servers": 2}, "Admission.servers = 2"),
    ],
)
def test_bad_parameters_are_reported(parameters, message):
    with pytest.raises(InputError, match=message):
        Admission(parameters)


def test_an_unknown_policy_of_a_case_is_reported():
    case = KnownCase("x", "admission", {}, {"name": "oracle"}, {}, {"kind": "steady_state"}, ())
    with pytest.raises(InputError, match="case x: admission has no policy"):
        Admission.experiment(case)


def test_illegal_answers_refuse():
    model = Admission({}, (1, 2))
    model.advance()
    model.answer("perhaps")
    model.advance()
    assert (model.illegal_answers, len(model.came)) == (1, 0)


def test_the_task_composes_and_its_shift_overloads_the_server():
    [config] = compose(["task=admission"])
    assert config.task.parameters.out_of_distribution.require["load"].low == 1.0
    assert np.isfinite(config.task.scale)
