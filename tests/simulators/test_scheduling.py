"""Networks with a choice of class against known answers: by the chain, and by simulation."""

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
from simdistill.simulators.scheduling import (
    Scheduling,
    c_mu,
    class_first,
    first_buffer_first,
    first_come,
    last_buffer_first,
    maxweight,
    threshold,
)
from simdistill.statistics import mean_estimate


def known_cases() -> list[KnownCase]:
    """All but the networks of four classes, which take `simdistill verify` a minute each."""
    told = [
        case
        for name in ("networks.json", "queues.json")
        for case in json.loads((files("simdistill.simulators.known_answers") / name).read_text())
    ]
    families = set(Scheduling.families) - {"rybko_stolyar"}
    cases = [
        KnownCase(**{"policy": {}, "conventions": {}, **case}) for case in told if case["family"] in families
    ]
    return [case for case in cases if not case.id.startswith(("criss-cross-IM", "criss-cross-BM"))]


CASES = known_cases()
CROSS = {
    "arrival_rates": (0.3, 0.0, 0.3),
    "holding_costs": (1.0, 1.0, 1.0),
    "next_classes": (2, 0, 0),
    "skills": ((1, 1), (2, 2), (1, 3)),
    "service_rates": (2.0, 1.5, 2.0),
}
PRIORITY = {"skills": ((1, 1), (1, 2)), "service_rates": (1.0, 0.5), "arrival_rates": (0.3, 0.2)}


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_known_answers(case):
    experiment = Scheduling.experiment(case)
    for expected in case.expected:
        value = experiment.solved[expected["measure"]]()
        assert value == pytest.approx(expected["value"], abs=expected["tolerance"] + 1e-12)


@pytest.mark.parametrize("preemptive", [True, False])
@pytest.mark.parametrize("policy", [c_mu, maxweight, threshold(2), class_first(2)])
def test_simulation_confirms_the_chain(policy, preemptive):
    parameters = {"arrival_rates": (0.8, 0.3), "preemptive": preemptive}
    chain = Scheduling.markov(parameters, 40)
    exact = evaluate(chain, tabulate(chain, policy)).cost
    found = [
        replicate(Scheduling, parameters, policy, (0, TEST, 0, n), 100.0, 3_000.0).cost for n in range(10)
    ]
    interval = mean_estimate(found)
    assert abs(interval.mean - exact) < 1.6 * (interval.high - interval.mean)
    assert interval.high - interval.low < 0.25 * exact


def test_no_policy_beats_the_optimum():
    chain = Scheduling.markov({"arrival_rates": (0.9, 0.3)}, 40)
    policies = [c_mu, maxweight, threshold(1), threshold(4), class_first(1), class_first(2)]
    costs = [evaluate(chain, tabulate(chain, policy)).cost for policy in policies]
    _, best = optimum(chain, tabulate(chain, maxweight))
    assert best.cost < min(costs)
    assert best.boundary < 1e-3


def test_c_mu_is_optimal_for_one_server():
    chain = Scheduling.markov({**PRIORITY, "preemptive": True}, 50)
    _, best = optimum(chain, tabulate(chain, class_first(2)))
    assert best.cost == pytest.approx(evaluate(chain, tabulate(chain, c_mu)).cost, rel=1e-7)


def test_policies_on_a_state():
    state = {
        "arrival_rates": [1.04, 0.32],
        "holding_costs": [3.0, 1.0],
        "next_classes": [0, 0],
        "skills": [[1, 1], [2, 1], [2, 2]],
        "service_rates": [1.0, 0.5, 1.0],
        "jobs": [2, 4],
        "serving": [1, 0],
        "server": 2,
        "waits": [1.0, 7.0],
    }
    asked = (c_mu, maxweight, threshold(1), threshold(2), class_first(1), first_come)
    assert [policy(state, ["1", "2"]) for policy in asked] == ["1", "2", "1", "2", "1", "2"]
    crossing = {**state, "next_classes": [2, 0, 0], "jobs": [1, 1, 1]}
    assert last_buffer_first(crossing, ["1", "3"]) == "3"
    assert first_buffer_first(crossing, ["1", "3"]) == "1"


def test_the_law_of_little_and_no_job_lost():
    model = Scheduling({**CROSS, "initial_jobs": (2, 1, 0)}, (1, 2))
    run_policy(model, maxweight, 500.0)
    totals = model.totals(500.0)
    inside = [job for jobs in model.jobs for job in jobs]
    assert 3 + totals["arrived"][1] == totals["time_in_system"][1] + len(inside)
    spent = totals["time_in_system"][0] + sum(500.0 - came for came, _ in inside)
    assert totals["in_system"][0] == pytest.approx(spent)
    assert model.costs(500.0)["holding"] == pytest.approx(spent)


def test_the_first_class_waits_less_where_service_is_preemptive():
    time_in_system = {}
    for preemptive in (True, False):
        model = Scheduling({**PRIORITY, "preemptive": preemptive}, (3, 1))
        run_policy(model, class_first(1), 5_000.0)
        total, count = model.totals()["time_in_system_class_1"]
        time_in_system[preemptive] = total / count
    # Alone at the server, class 1 is an M/M/1 queue: 1 / (1 - 0.3) minutes.
    assert time_in_system[True] == pytest.approx(1 / 0.7, rel=0.1)
    assert time_in_system[False] > 1.2 / 0.7


def test_what_if_agrees_with_the_chain():
    params = Scheduling.parse({"arrival_rates": (0.9, 0.3)})
    chain = Scheduling.markov(params, 60)
    values_SC = choice_values(chain, evaluate(chain, tabulate(chain, maxweight)))
    episode = Episode(Scheduling(params, (5, 1)))
    while (situation := episode.advance()) is not None and situation.state["jobs"] != [3, 2]:
        episode.answer(maxweight(situation.state, situation.choices))
    assert situation is not None
    values = what_if(Scheduling, situation, maxweight, futures=300, horizon=60.0)
    row = next(n for n in range(len(chain.states)) if chain.states[n] == situation.state)
    exact_C = values_SC[row, :2] - values_SC[row, values.base]
    assert values.coupled_CK.mean() > 0.9
    assert np.all(np.abs(values.mean_C - exact_C) <= 4 * values.standard_error_C + 1e-9)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"arrival_rates": (-1.0, 0.3)}, "Scheduling.arrival_rates.0 = -1.0"),
        ({"holding_costs": (1.0,)}, "holding_costs has 1 numbers for 2 classes"),
        ({"service_rates": (1.0,)}, "service_rates has 1 numbers for 3 skills"),
        ({"skills": ((1, 1), (1, 1), (2, 2))}, "skills names a pair twice"),
        ({"skills": ((1, 1), (2, 1), (3, 1))}, "skills must serve each class"),
        ({"next_classes": (2, 1)}, "never lets a job of class 1 leave"),
        ({"next_classes": (3, 0)}, "next_classes names class 3 of 2"),
    ],
)
def test_bad_parameters_are_reported(parameters, message):
    with pytest.raises(InputError, match=message):
        Scheduling(parameters)


def test_an_unknown_policy_of_a_case_is_reported():
    case = KnownCase(
        "x",
        "two_class",
        {"arrival_rates": [0.1, 0.1], "service_rates": [1, 1]},
        {"name": "oracle"},
        {},
        {},
        (),
    )
    with pytest.raises(InputError, match="x: no policy 'oracle' in scheduling; available: c_mu"):
        Scheduling.experiment(case)


def test_the_load_is_a_linear_program():
    # The N-model is full where server 1 is, and server 2 with class 2 and what class 1 leaves over.
    assert Scheduling.parse({"arrival_rates": (1.25, 0.5)}).load == pytest.approx(1.0)  # type: ignore[attr-defined]
    assert Scheduling.parse(CROSS).load == pytest.approx(0.3)  # type: ignore[attr-defined]


def test_the_task_composes_within_what_is_stationary():
    [config] = compose(["task=scheduling"])
    assert config.task.parameters.out_of_distribution.require["load"].high == 0.9
    assert set(config.task.policies) - {"random"} <= set(Scheduling.policies)
