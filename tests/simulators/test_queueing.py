"""Routing to parallel servers against known answers: exactly by the chain, and by simulation."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from simdistill.config import compose
from simdistill.errors import InputError
from simdistill.mdp import evaluate, fitting_size, legal, optimum, tabulate, uniform_policy
from simdistill.simulation import PLAN, TEST, KnownCase, World
from simdistill.simulation.policies import with_streams
from simdistill.simulation.rollout import replicate, run_policy
from simdistill.simulation.streams import Streams
from simdistill.simulators.queueing import (
    Queueing,
    Split,
    Threshold,
    best_split,
    join_shortest_queue,
    shortest_expected_delay,
)
from simdistill.statistics import mean_estimate

CASES = json.loads((Path(__file__).parents[1] / "known_answers" / "routing.json").read_text())


def static_split(process) -> np.ndarray:
    """The best split that doesn't look at the queues."""

    def table(share):
        return np.tile([share, 1.0 - share], (len(process.states), 1))

    found: Any = minimize_scalar(
        lambda share: evaluate(process, table(share)).cost, bounds=(0.05, 0.95), method="bounded"
    )
    return table(found.x)


def shortest_queue_table(process):
    """Join the shortest queue, with ties at random."""
    jobs_SN = np.array([state["jobs"] for state in process.states])
    shortest_SN = jobs_SN == jobs_SN.min(axis=1, keepdims=True)
    return shortest_SN / shortest_SN.sum(axis=1, keepdims=True)


def table(process, policy):
    match policy:
        case {"name": "optimal"}:
            return optimum(process, tabulate(process, shortest_expected_delay))[0]
        case {"name": "jsq", "tie": "fastest"}:
            return tabulate(process, join_shortest_queue)
        case {"name": "jsq", "tie": "random"}:
            return shortest_queue_table(process)
        case {"name": "sed", "tie": "fastest"}:
            return tabulate(process, shortest_expected_delay)
        case {"name": "static", "split": "best"}:
            return static_split(process)
    raise AssertionError(policy)


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_exact_costs_agree_with_known_answers(case):
    process = Queueing.markov(case["parameters"], 80)
    evaluation = evaluate(process, table(process, case["policy"]))
    assert evaluation.boundary < 1e-7
    assert [e["measure"] for e in case["expected"]] == ["mean_in_system"]
    for expected in case["expected"]:
        assert evaluation.cost == pytest.approx(expected["value"], abs=expected["tolerance"])


def known(policy):
    return next(
        case["expected"][0]["value"]
        for case in CASES
        if case["parameters"] == {"arrival_rate": 2.0, "service_rates": [2, 0.5]}
        and case["policy"]["name"] == policy
    )


def test_simulation_confirms_the_default_policies():
    costs = {
        name: np.array(
            [replicate(Queueing, {}, policy, (0, TEST, 0, n), 200.0, 2000.0).cost for n in range(20)]
        )
        for name, policy in {"sed": shortest_expected_delay, "jsq": join_shortest_queue}.items()
    }
    for name, costs_R in costs.items():
        interval = mean_estimate(costs_R)
        assert interval.low < known(name) < interval.high
        assert interval.high - interval.low < 0.25 * interval.mean
    # On common random numbers the difference is known much better than either cost.
    difference = mean_estimate(costs["jsq"] - costs["sed"])
    assert 0 < difference.low < known("jsq") - known("sed") < difference.high


@pytest.mark.parametrize("load", [0.3, 0.8])
def test_one_server_is_an_m_m_1_queue(load):
    parameters = {"arrival_rate": load, "service_rates": (1.0,)}
    fit = fitting_size(lambda size: Queueing.markov(parameters, size), uniform_policy)
    assert fit is not None
    process, evaluation = fit
    assert evaluation.cost == pytest.approx(load / (1 - load), abs=1e-4)
    size = len(process.states)
    np.testing.assert_allclose(evaluation.stationary_S, (1 - load) * load ** np.arange(size), atol=1e-6)


def test_one_server_needs_no_decisions():
    model = Queueing({"arrival_rate": 0.5, "service_rates": (1.0,)}, (1, 2))
    model.max_silent_events = 10**6
    assert run_policy(model, shortest_expected_delay, 4000.0) == 0
    assert model.cost(4000.0) / 4000.0 == pytest.approx(1.0, abs=0.15)


def test_three_servers():
    parameters = {"arrival_rate": 2.0, "service_rates": (2.0, 1.0, 0.5)}
    process = Queueing.markov(parameters, 14)
    assert process.labels == ["A", "B", "C"]
    sed = evaluate(process, tabulate(process, shortest_expected_delay))
    best = optimum(process, tabulate(process, shortest_expected_delay))[1]
    assert sed.boundary < 1e-4
    assert best.cost < min(sed.cost, evaluate(process, tabulate(process, join_shortest_queue)).cost)
    simulated = mean_estimate(
        [
            replicate(Queueing, parameters, shortest_expected_delay, (0, TEST, 3, n), 50.0, 1000.0).cost
            for n in range(8)
        ]
    )
    assert simulated.low < sed.cost < simulated.high
    model = Queueing(parameters, (1, 2))
    decision = model.advance()
    assert (decision.labels, model.max_choices) == (["A", "B", "C"], 3)


def test_two_equal_halves_of_a_pooled_server_cost_more():
    process = Queueing.markov({"arrival_rate": 1.4, "service_rates": (1.0, 1.0)}, 60)
    assert evaluate(process, tabulate(process, join_shortest_queue)).cost > 0.7 / 0.3


class Sojourns(Queueing):
    """Notes when each job comes and goes."""

    def build(self):
        self.came = [[0.0] * waiting for waiting in self.params.initial_jobs or (0, 0)]
        self.gone = [[], []]
        super().build()

    def change(self, server, jobs):
        (self.came if jobs > 0 else self.gone)[server].append(self.env.now)
        super().change(server, jobs)


def test_littles_law_holds_on_every_path():
    until = 500.0
    model = Sojourns({"initial_jobs": (2, 1)}, (1, 2))
    run_policy(model, shortest_expected_delay, until)
    time_in_system = 0.0
    for came, gone in zip(model.came, model.gone, strict=True):
        gone = gone + [until] * (len(came) - len(gone))
        time_in_system += sum(gone) - sum(came)
    assert sum(len(came) for came in model.came) > 800
    # Number in system, averaged over time, times the time = jobs times the mean time of each in the system.
    assert model.cost(until) == pytest.approx(time_in_system)


def test_each_server_works_one_job_at_a_time_at_its_rate():
    model = Sojourns({"arrival_rate": 5.0}, (1, 2))  # overloaded: both servers are always busy in the end
    run_policy(model, join_shortest_queue, 1000.0)
    for gone, rate in zip(model.gone, model.params.service_rates, strict=True):
        assert len(gone) == pytest.approx(1000.0 * rate, abs=4 * np.sqrt(1000.0 * rate))


def test_initial_jobs_are_there_from_the_start():
    model = Queueing({"arrival_rate": 1000.0, "initial_jobs": (3, 1)}, World(Streams((1, 2))))
    decision = model.advance()
    state = model.state(decision)
    assert state == {"arrival_rate": 1000.0, "service_rates": [2.0, 0.5], "jobs": [3, 1]}
    assert model.cost() == pytest.approx(4 * model.env.now)


@pytest.mark.parametrize(
    ("jobs", "rates", "shortest", "expected"),
    [
        ([3, 1], [2.0, 0.5], "B", "A"),
        ([3, 0], [2.0, 0.5], "B", "A"),  # 4 / 2.0 = 1 / 0.5: the tie goes to the faster
        ([4, 0], [2.0, 0.5], "B", "B"),
        ([1, 1], [0.5, 2.0], "B", "B"),
        ([2, 2, 1], [1.0, 3.0, 1.0], "C", "B"),
    ],
)
def test_the_authors_policies(jobs, rates, shortest, expected):
    state = {"arrival_rate": 2.0, "service_rates": rates, "jobs": jobs}
    choices = ["A", "B", "C"][: len(jobs)]
    assert join_shortest_queue(state, choices) == shortest
    assert shortest_expected_delay(state, choices) == expected


def test_load():
    assert Queueing.parse({}).load == pytest.approx(0.8)


@pytest.mark.parametrize("told", CASES, ids=[case["id"] for case in CASES])
def test_experiments_solve_known_answers(told):
    case = KnownCase(**{"policy": {}, "conventions": {}, **told})
    experiment = Queueing.experiment(case)
    for expected in case.expected:
        value = experiment.solved[expected["measure"]]()
        assert value == pytest.approx(expected["value"], abs=expected["tolerance"])


def routing(policy, **parameters):
    return KnownCase("test", "routing", parameters, policy, {}, {"kind": "steady_state"}, ())


SIMULATED = [
    routing({"name": "jsq", "tie": "random"}, arrival_rate=1.2, service_rates=[1, 1]),
    routing({"name": "static", "split": "best"}, arrival_rate=1.0, service_rates=[2, 0.5]),
    routing({"name": "round_robin"}, arrival_rate=1.0, service_rates=[1, 1]),
    routing({"name": "optimal"}, arrival_rate=2.0, service_rates=[2, 0.5], capacity=4, refusal_cost=5.0),
    routing({"name": "sed", "tie": "fastest"}, arrival_rate=1.2, service_rates=[2, 0.0, 0.5]),
]


@pytest.mark.parametrize("case", SIMULATED, ids=lambda case: case.policy["name"])
def test_simulation_confirms_what_is_solved(case):
    experiment = Queueing.experiment(case)
    paths = [(0, TEST, 0, n) for n in range(8)]
    found = [
        replicate(
            Queueing,
            experiment.params,
            with_streams(experiment.policy, Streams((*path, PLAN))),
            path,
            50.0,
            1000.0,
        ).measures
        for path in paths
    ]
    names = {"mean_in_system": "in_system", "mean_time_in_system": "time_in_system", "p_blocked": "blocked"}
    for measure, name in names.items():
        if name in found[0]:
            interval = mean_estimate([measures[name] for measures in found])
            slack = interval.high - interval.mean
            assert interval.low - slack <= experiment.solved[measure]() <= interval.high + slack


def test_round_robin_is_between_a_random_split_and_the_shortest_queue():
    parameters = {"arrival_rate": 1.4, "service_rates": [1, 1]}
    costs = [
        Queueing.experiment(routing(policy, **parameters)).solved["mean_in_system"]()
        for policy in ({"name": "jsq"}, {"name": "round_robin"}, {"name": "random"})
    ]
    assert costs == sorted(costs)


def test_the_best_split_leaves_slow_servers_out_when_there_is_little_to_do():
    def shares(arrival_rate, *rates):
        jobs = [0] * len(rates)
        state = {"arrival_rate": arrival_rate, "service_rates": list(rates), "jobs": jobs}
        return best_split(state, "ABC"[: len(rates)])

    assert shares(0.5, 2.0, 0.2) == (1.0, 0.0)
    assert shares(1.0, 1.0, 1.0) == pytest.approx((0.5, 0.5))
    assert sum(shares(2.9, 1.0, 2.0, 0.5)) == pytest.approx(1.0)
    process = Queueing.markov({}, 60)
    assert evaluate(process, tabulate(process, Split(best_split))).cost == pytest.approx(7.0, abs=1e-3)


def test_a_split_draws_the_runs_own_numbers():
    state = {"arrival_rate": 2.0, "service_rates": [1.5, 1.5], "jobs": [0, 0]}

    def choices(key):
        policy = with_streams(Split(best_split), Streams((key,)))
        return [policy(state, ["A", "B"]) for _ in range(400)]

    assert choices(1) == choices(1) != choices(2)
    assert 160 < choices(1).count("A") < 240


def test_a_lead_of_one_is_the_shortest_queue():
    process = Queueing.markov({}, 40)
    leads = [evaluate(process, tabulate(process, Threshold(lead))).cost for lead in (1, 3, 4)]
    assert leads[0] == evaluate(process, tabulate(process, join_shortest_queue)).cost
    assert leads[1] < leads[2] == evaluate(process, tabulate(process, Threshold())).cost


def test_a_closed_server_gets_no_jobs():
    parameters = {"arrival_rate": 1.5, "service_rates": (2.0, 0.0, 0.5)}
    model = Queueing(parameters, (1, 2))
    seen = set()
    run_policy(
        model, join_shortest_queue, 200.0, lambda decision, state, label: seen.add(tuple(decision.labels))
    )
    assert seen == {("A", "C")}
    assert model.jobs[1] == 0
    process = Queueing.markov(parameters, 40)
    without = Queueing.markov({**parameters, "service_rates": (2.0, 0.5)}, 40)
    assert process.labels == ["A", "C"]
    for policy in (shortest_expected_delay, join_shortest_queue, Threshold(), Split(best_split)):
        cost = evaluate(process, tabulate(process, policy)).cost
        assert cost == pytest.approx(evaluate(without, tabulate(without, policy)).cost)


def test_full_servers_are_no_choice_and_refused_jobs_cost():
    parameters = {"arrival_rate": 4.0, "capacity": 3, "refusal_cost": 2.5, "initial_jobs": (3, 1)}
    model = Queueing(parameters, (1, 2))
    asked = []
    run_policy(model, join_shortest_queue, 100.0, lambda decision, state, label: asked.append(state["jobs"]))
    assert all(max(jobs) < 3 for jobs in asked)  # with one server left nobody is asked
    blocked = model.totals(100.0)["blocked"][0]
    assert blocked > 50
    assert model.costs(100.0)["refused jobs"] == 2.5 * blocked
    process = Queueing.markov(parameters, 40)
    assert len(process.states) == 16
    assert not process.boundary_S.any()
    full = next(row for row, state in enumerate(process.states) if state["jobs"] == [3, 1])
    assert legal(process)[full].tolist() == [False, True]
    best = optimum(process, tabulate(process, join_shortest_queue))[1]
    assert best.cost <= evaluate(process, tabulate(process, shortest_expected_delay)).cost


def test_three_equal_servers_lose_no_jobs_at_the_edge_of_the_chain():
    process = Queueing.markov({"arrival_rate": 2.4, "service_rates": (1.0, 1.0, 1.0)}, 14)
    shortest = evaluate(process, tabulate(process, join_shortest_queue))
    assert optimum(process, tabulate(process, shortest_expected_delay))[1].cost == pytest.approx(
        shortest.cost
    )


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"service_rates": (0.0, 0.0)}, "no server is open"),
        ({"service_rates": (1.0, -1.0)}, "Queueing.service_rates.1 = -1.0"),
        ({"initial_jobs": (1, 2, 3)}, "initial_jobs has 3 numbers for 2 servers"),
        ({"initial_jobs": (5, 0), "capacity": 4}, "are more than capacity 4"),
        ({"service_rates": (1.0, 0.0), "initial_jobs": (0, 2)}, "are at a closed server"),
        ({"capacity": 0}, "Queueing.capacity = 0"),
    ],
)
def test_bad_parameters_are_reported(parameters, message):
    with pytest.raises(InputError, match=message):
        Queueing(parameters)


@pytest.mark.parametrize("task", ["queueing_failed_server", "queueing_third_server", "queueing_finite"])
def test_tasks_compose(task):
    [config] = compose([f"task={task}"])
    assert config.task.simulator == "queueing"
