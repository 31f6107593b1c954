"""Servers with one queue against known answers: by formula, by the chain, and by simulation."""

import json
from importlib.resources import files

import numpy as np
import pytest

import simdistill  # noqa: F401 (makes the simulators known to Gymnasium)
from simdistill.config import compose
from simdistill.errors import InputError
from simdistill.mdp import choice_values, evaluate, optimum, tabulate
from simdistill.simulation import TEST, WAIT, KnownCase
from simdistill.simulation.branching import what_if
from simdistill.simulation.distributions import named
from simdistill.simulation.rollout import replicate, run_policy
from simdistill.simulation.situations import Episode
from simdistill.simulators.references.shared_queue import BirthAndDeath, chain_measures, work
from simdistill.simulators.shared_queue import SharedQueue, Threshold, fast_only, use_every_server
from simdistill.statistics import mean_estimate


def known_cases() -> list[KnownCase]:
    told = json.loads((files("simdistill.simulators.known_answers") / "queues.json").read_text())
    cases = [case for case in told if case["family"] in SharedQueue.families]
    return [KnownCase(**{"policy": {}, "conventions": {}, **case}) for case in cases]


CASES = known_cases()


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_known_answers(case):
    experiment = SharedQueue.experiment(case)
    for expected in case.expected:
        value = experiment.solved[expected["measure"]]()
        assert value == pytest.approx(expected["value"], abs=expected["tolerance"] + 1e-12)


def case(family, policy=None, **parameters):
    return KnownCase("test", family, parameters, policy or {}, {}, {"kind": "steady_state"}, ())


SIMULATED = [
    case("mmck", arrival_rate=1.6, service_rate=1, servers=2, capacity=None),
    case("mmck", arrival_rate=2.5, service_rate=1, servers=3, capacity=6),
    case("mg1", arrival_rate=0.6, service={"name": "hyperexponential", "mean": 1, "scv": 3}),
    case("mg1", arrival_rate=0.6, service={"name": "uniform", "low": 0.5, "high": 1.5}),
    case("slow_server", {"name": "optimal"}, arrival_rate=0.7, service_rates=[1, 0.3]),
]


@pytest.mark.parametrize("known", SIMULATED, ids=lambda known: known.family)
def test_simulation_confirms_every_measure(known):
    experiment = SharedQueue.experiment(known)
    found = [
        replicate(SharedQueue, experiment.params, experiment.policy, (0, TEST, 0, n), 50.0, 1000.0)
        for n in range(8)
    ]
    for measure, solve in experiment.solved.items():
        name = measure.removeprefix("mean_").removeprefix("p_")
        if measure == "threshold":
            continue
        how = experiment.measures.get(measure, name)
        interval = mean_estimate([r.measures[how] if isinstance(how, str) else how(r) for r in found])
        slack = interval.high - interval.low  # twice the half-width: eight replications, many measures
        assert interval.low - slack <= solve() <= interval.high + slack, measure


def test_the_chain_of_equal_servers_is_the_birth_and_death_process():
    params = SharedQueue.parse({"arrival_rate": 2.5, "service_rates": (1.0, 1.0, 1.0), "capacity": 6})
    by_formula = BirthAndDeath(2.5, 1.0, 3, 6).measures()
    for measure, value in chain_measures(params, use_every_server).items():
        assert value == pytest.approx(by_formula[measure]), measure


def test_a_slow_server_is_best_used_from_a_threshold_on():
    params = {"arrival_rate": 0.5, "service_rates": (1.0, 0.2)}
    process = SharedQueue.markov(params, 60)
    policy_SC, best = optimum(process, tabulate(process, use_every_server))
    chosen = {
        state["waiting"]: process.labels[column]
        for state, column in zip(process.states, policy_SC.argmax(axis=1), strict=True)
        if state["busy"] == [1, 0]
    }
    assert [chosen[waiting] for waiting in (1, 2, 3, 4)] == [WAIT, WAIT, "B", "B"]
    assert evaluate(process, tabulate(process, Threshold(3))).cost == pytest.approx(best.cost)
    assert evaluate(process, tabulate(process, fast_only)).cost == pytest.approx(1.0)


def test_observed_states_are_those_of_the_chain():
    params = {"arrival_rate": 1.5, "service_rates": (1.0, 0.4, 0.2), "capacity": 6, "refusal_cost": 2.0}
    states = [json.dumps(state) for state in SharedQueue.markov(params, 10).states]
    model = SharedQueue(params, (1, 2))
    asked = []
    run_policy(model, use_every_server, 100.0, lambda decision, state, label: asked.append(json.dumps(state)))
    assert len(asked) > 20
    assert set(asked) <= set(states)
    assert model.costs()["refused jobs"] > 0


def test_equal_servers_need_no_decisions_and_swapped_ones_are_the_same():
    assert run_policy(SharedQueue({"service_rates": (1.0, 1.0)}, (1, 2)), use_every_server, 200.0) == 0
    one, other = (SharedQueue.markov({"service_rates": rates}, 40) for rates in ((1.0, 0.2), (0.2, 1.0)))
    costs = [evaluate(process, tabulate(process, Threshold(2))).cost for process in (one, other)]
    assert costs[0] == pytest.approx(costs[1])


def test_jobs_are_served_first_come_first_served_and_none_is_lost():
    model = SharedQueue({"arrival_rate": 0.9, "initial_waiting": 4}, (1, 2))
    run_policy(model, Threshold(2), 500.0)
    totals = model.totals(500.0)
    assert 4 + totals["arrived"][0] == totals["time_in_system"][1] + model.inside
    assert [job for job, _ in model.waiting] == sorted(job for job, _ in model.waiting)


def situation(params, waiting, policy):
    """Brings about a question with so many jobs waiting."""
    model = SharedQueue(params, (5, 1))
    episode = Episode(model)
    while (found := episode.advance()) is not None and len(model.waiting) != waiting:
        episode.answer(policy(found.state, found.choices))
    assert found is not None
    return found


def test_what_if_agrees_with_the_chain():
    params = SharedQueue.parse({"arrival_rate": 0.6})
    policy = Threshold(3)
    process = SharedQueue.markov(params, 60)
    values_SC = choice_values(process, evaluate(process, tabulate(process, policy)))
    row = next(
        row for row, state in enumerate(process.states) if (state["waiting"], state["busy"]) == (1, [1, 0])
    )
    values = what_if(SharedQueue, situation(params, 1, policy), policy, futures=300, horizon=60.0)
    using, waiting = values.mean_C
    error = values.standard_error_C.max()
    exact = values_SC[row, process.labels.index("B")] - values_SC[row, process.labels.index(WAIT)]
    assert using - waiting == pytest.approx(exact, abs=4 * error)
    assert values.coupled_CK.mean() > 0.95


def test_branches_of_general_work_meet_as_well():
    params = SharedQueue.parse({"work": {"name": "erlang", "shape": 3, "mean": 1.0}})
    values = what_if(SharedQueue, situation(params, 1, Threshold(2)), Threshold(2), futures=20, horizon=200.0)
    assert values.coupled_CK.mean() > 0.8


def test_the_default_threshold_weighs_the_wait_for_the_fast_server():
    state = {"arrival_rate": 0.5, "service_rates": [1.0, 0.2], "busy": [1, 0]}
    asked = [Threshold()({**state, "waiting": waiting}, ["B", WAIT]) for waiting in (1, 3, 4, 9)]
    assert asked == [WAIT, WAIT, "B", "B"]


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ({"name": "deterministic", "mean": 2}, {"name": "deterministic", "value": 2}),
        ({"name": "exponential", "rate": 4}, {"name": "exponential", "mean": 0.25}),
        ({"name": "lognormal", "mean": 2, "sd": 1}, {"name": "lognormal", "mean": 2, "cv": 0.5}),
        ({"name": "gamma", "mean": 2, "scv": 4}, {"name": "gamma", "shape": 0.25, "mean": 2}),
        ({"name": "erlang", "shape": 2, "mean": 1}, {"name": "erlang", "shape": 2, "mean": 1}),
    ],
)
def test_service_times_are_read_as_they_are_reported(told, meant):
    assert work(told) == meant


def test_balanced_means_have_the_spread_they_should():
    params = SharedQueue.parse({"work": work({"name": "hyperexponential", "mean": 2, "scv": 4})})
    assert named(params.work).mean == pytest.approx(2.0)
    assert named(params.work).variance == pytest.approx(16.0)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"service_rates": (1.0, -0.2)}, r"SharedQueue.service_rates.1 = -0.2"),
        ({"work": {"name": "cauchy"}}, "no distribution 'cauchy'; available: exponential"),
        ({"work": {"name": "deterministic", "value": 0}}, "the mean work must be positive"),
        ({"service_rates": (1.0, 1.0), "capacity": 1}, "capacity 1 is less than 2 servers"),
        ({"capacity": 3, "initial_waiting": 4}, "initial_waiting 4 exceeds capacity 3"),
    ],
)
def test_bad_parameters_are_reported(parameters, message):
    with pytest.raises(InputError, match=message):
        SharedQueue(parameters)


def test_only_exponential_work_has_a_chain():
    with pytest.raises(InputError, match="only exponential work makes a Markov chain"):
        SharedQueue.markov({"work": {"name": "deterministic", "value": 1.0}}, 40)


def test_overload_grows():
    unstable = KnownCase(
        "over",
        "mmck",
        {"arrival_rate": 2.0, "service_rate": 1.0, "servers": 1, "capacity": None},
        {},
        {},
        {"kind": "unstable"},
        (),
    )
    experiment = SharedQueue.experiment(unstable)
    model = SharedQueue(experiment.params, (1, 2))
    run_policy(model, use_every_server, 500.0)
    assert experiment.growing == {"growth_rate": "in_system"}
    assert model.inside == pytest.approx(500.0, abs=5 * np.sqrt(3 * 500.0))


def test_the_task_composes():
    [config] = compose(["task=queueing_slow_server"])
    assert config.task.heuristic == "use_every_server"
