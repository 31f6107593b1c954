"""The emergency department: waits by formula, the exact optimum of its exponential core, boarding."""

import numpy as np
import pytest

import simdistill  # noqa: F401 (makes the simulators known to Gymnasium)
from simdistill.config import compose
from simdistill.envs.prompts import Prompter
from simdistill.errors import InputError
from simdistill.mdp import choice_values, evaluate, optimum, tabulate
from simdistill.simulation import TEST, KnownCase
from simdistill.simulation.branching import what_if
from simdistill.simulation.policies import RandomPolicy
from simdistill.simulation.rollout import replicate, run_policy
from simdistill.simulation.situations import Episode
from simdistill.simulation.streams import Streams
from simdistill.simulators.emergency_department import EmergencyDepartment
from simdistill.simulators.references.emergency_department import markov, solution, waits_by_formula
from simdistill.statistics import mean_estimate

POLICIES = EmergencyDepartment.policies
CORE = {"beds": None, "boarding_min": 0.0, "share_admitted": (0.0, 0.0)}
ONE = {
    **CORE,
    "arrivals_per_hour": (0.6, 1.4),
    "treatment_min": (40.0, 10.0),
    "weights": (10.0, 3.0),
    "clinicians": 1,
}
EQUAL = {
    **CORE,
    "arrivals_per_hour": (1.5, 4.0),
    "treatment_min": (20.0, 20.0),
    "weights": (8.0, 2.0),
    "clinicians": 3,
}
UNEQUAL = {**ONE, "arrivals_per_hour": (1.2, 2.4), "clinicians": 2}


def experiment(params, policy, measures=()):
    expected = tuple({"measure": measure} for measure in measures)
    return EmergencyDepartment.experiment(
        KnownCase("case", "emergency_department", params, {"name": policy}, {}, {}, expected)
    )


@pytest.mark.parametrize("params", [ONE, EQUAL])
@pytest.mark.parametrize("policy", ["acuity_first", "c_mu"])
def test_formulas_agree_with_the_exact_process(params, policy):
    parsed = EmergencyDepartment.parse({**params, "arrivals_per_hour": (0.5, 1.0)})
    cost, waits = solution(parsed, policy)
    assert waits == pytest.approx(waits_by_formula(parsed, policy), rel=1e-3)
    assert cost * 60 == pytest.approx(
        experiment(parsed.model_dump(), policy).solved["cost_per_hour"](), rel=1e-3
    )


def test_conservation_of_work():
    """The load-weighted mean wait is the same whoever goes first (Kleinrock's conservation law)."""
    parsed = EmergencyDepartment.parse(EQUAL)
    loads = np.array([1.5, 4.0])
    waits = {name: waits_by_formula(parsed, name) for name in POLICIES if name != "c_mu_beds"}
    weighted = [loads @ np.array(wait) for wait in waits.values()]
    assert weighted == pytest.approx([weighted[0]] * len(weighted))
    first, longest, accumulating = (
        waits[name][0] for name in ("acuity_first", "longest_wait", "accumulating_priority")
    )
    assert first < accumulating < longest


def test_c_mu_is_optimal_for_one_clinician_and_acuity_first_is_not():
    process = markov(ONE, 40)
    c_mu_SC = tabulate(process, POLICIES["c_mu"])
    c_mu, first = evaluate(process, c_mu_SC), evaluate(process, tabulate(process, POLICIES["acuity_first"]))
    best = optimum(process, tabulate(process, POLICIES["acuity_first"]))[1]
    assert c_mu.boundary < 1e-8
    assert best.cost == pytest.approx(c_mu.cost, rel=1e-4)  # the truncation can be exploited a little
    assert c_mu.cost < 0.95 * first.cost


def test_c_mu_is_nearly_optimal_for_two_clinicians_with_unequal_treatments():
    parsed = EmergencyDepartment.parse(UNEQUAL)
    assert waits_by_formula(parsed, "c_mu") is None
    best, c_mu, first = (solution(parsed, name)[0] for name in ("optimal", "c_mu", "acuity_first"))
    assert best < c_mu < first
    assert c_mu < 1.01 * best


@pytest.mark.parametrize(
    ("params", "policy"),
    [
        (ONE, "c_mu"),
        (ONE, "accumulating_priority"),
        (EQUAL, "longest_wait"),
        (EQUAL, "accumulating_priority"),
        (UNEQUAL, "acuity_first"),
    ],
)
def test_simulation_agrees_with_the_reference(params, policy):
    measures = ("mean_wait_1_min", "mean_wait_2_min", "cost_per_hour")
    trial = experiment(params, policy, measures)
    runs = [
        replicate(EmergencyDepartment, trial.params, POLICIES[policy], (0, TEST, n), trial.warm_up, 30_000.0)
        for n in range(8)
    ]
    found = {
        "mean_wait_1_min": [run.measures["wait_1_min"] for run in runs],
        "mean_wait_2_min": [run.measures["wait_2_min"] for run in runs],
        "cost_per_hour": [trial.measures["cost_per_hour"](run) for run in runs],  # type: ignore[operator]
    }
    for measure in measures:
        simulated = mean_estimate(found[measure])
        assert simulated.low < trial.solved[measure]() < simulated.high
        assert simulated.high - simulated.low < simulated.mean


def test_what_if_agrees_with_the_exact_difference():
    """One clinician, two waiting of each acuity: seeing acuity 1 first costs more by the exact process."""
    params = EmergencyDepartment.parse({**ONE, "waiting_at_start": (2, 2)})
    situation = Episode(EmergencyDepartment(params, (0, TEST, 1))).advance()
    assert situation is not None
    values = what_if(EmergencyDepartment, situation, POLICIES["c_mu"], futures=400, horizon=200.0)
    process = markov(ONE, 40)
    exact_SC = choice_values(process, evaluate(process, tabulate(process, POLICIES["c_mu"])))
    exact = exact_SC[[{**s, "longest_wait": [0, 0]} for s in process.states].index(situation.state)]
    assert situation.choices == ("1", "2") and exact[1] == 0.0
    assert abs(values.mean_C[0] - exact[0]) < 3 * values.standard_error_C[0]
    assert values.standard_error_C[0] < exact[0] / 2
    assert values.coupled_CK.mean() > 0.8


def test_only_the_core_can_be_solved():
    with pytest.raises(InputError, match="only a department with beds: null and a constant profile"):
        markov({}, 10)
    with pytest.raises(InputError, match="longest_wait can't be solved exactly"):
        solution(EmergencyDepartment.parse(ONE), "longest_wait")
    assert (
        waits_by_formula(EmergencyDepartment.parse({**ONE, "arrivals_per_hour": (2.0, 1.4)}), "c_mu") is None
    )


STATE = {
    "waiting": [1, 2, 3],
    "longest_wait": [5, 12, 40],
    "treatment_min": [45.0, 30.0, 20.0],
    "weights": [8.0, 6.0, 2.0],
    "share_admitted": [0.5, 0.2, 0.05],
    "boarding_min": 120.0,
}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("acuity_first", "1"),
        ("longest_wait", "3"),
        ("c_mu", "2"),  # 8/45, 6/30, 2/20
        ("c_mu_beds", "2"),  # 8/105, 6/54, 2/26
        ("accumulating_priority", "3"),  # 40, 72, 80
    ],
)
def test_the_authors_policies(policy, expected):
    assert POLICIES[policy](STATE, ["1", "2", "3"]) == expected
    assert POLICIES[policy](STATE, ["1"]) == "1"


def test_boarders_fill_the_beds():
    crowded = {"beds": 4, "share_admitted": (1.0, 1.0, 1.0), "boarding_min": 10_000.0}
    model = EmergencyDepartment(crowded, (1, TEST))
    run_policy(model, POLICIES["acuity_first"], 600.0)
    assert model.occupied() == len(model.boarders) == 4
    assert sum(map(len, model.waiting)) > 30 and not model.ready()
    free = EmergencyDepartment({**crowded, "beds": None}, (1, TEST))
    run_policy(free, POLICIES["acuity_first"], 600.0)
    assert len(free.boarders) > 30


def test_patients_are_neither_lost_nor_seen_by_busy_clinicians():
    for policy in (RandomPolicy(Streams((1,))), lambda state, labels: "nobody"):
        model = EmergencyDepartment({"waiting_at_start": (1, 2, 3)}, (5, TEST))
        met = []
        decisions = run_policy(model, policy, 2000.0, lambda *asked, met=met: met.append(asked))
        states = [state for _, state, _ in met]
        assert all(s["clinicians_free"] > 0 and s["beds_occupied"] < s["beds"] for s in states)
        assert all(sum(count > 0 for count in s["waiting"]) > 1 for s in states)
        totals = model.totals(2000.0)
        inside = sum(map(len, model.waiting)) + model.occupied()
        assert 6 + totals["arrived"][0] == totals["time_in_system"][1] + inside
        assert model.illegal_answers in (0, decisions)


def test_arrivals_follow_the_hour():
    model = EmergencyDepartment({"profile": (0.0, 3.0), "arrivals_per_hour": (5.0, 5.0, 5.0)}, (2, TEST))
    seen = []
    run_policy(model, POLICIES["c_mu"], 60.0, lambda *met: seen.append(met))
    assert not seen and model.totals(60.0).get("arrived") is None
    run_policy(model, POLICIES["c_mu"], 120.0)
    assert model.totals(120.0)["arrived"][0] == pytest.approx(45, abs=20)


def test_load():
    assert EmergencyDepartment.parse(ONE).load == pytest.approx((0.6 * 40 + 1.4 * 10) / 60)
    boarding = 60.0 + (1.0 * 0.5 + 3.0 * 0.2 + 4.0 * 0.05) * 300
    treated = (45 + 90 + 40) / 60
    assert EmergencyDepartment.parse({"boarding_min": 300.0}).load == pytest.approx(
        (treated + (boarding - 60.0) / 60) / 8
    )


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"treatment_min": (40.0, -1.0, 10.0)}, "treatment_min.1 = -1.0: Input should be greater than 0"),
        ({"weights": (4.0, 2.0)}, "weights has 2 numbers for 3 acuities"),
        ({"share_admitted": (0.5, 0.2, 1.2)}, "share_admitted must lie between 0 and 1"),
        ({"profile": (0.0,)}, "profile must have a positive number"),
        ({"clinicians": 0}, "clinicians = 0: Input should be greater than 0"),
    ],
)
def test_a_wrong_parameter_is_named(parameters, message):
    with pytest.raises(InputError, match=message):
        EmergencyDepartment.parse(parameters)


def test_the_task_composes():
    task = compose(["task=emergency_department"])[0].task
    model = EmergencyDepartment({**task.parameters.default, "waiting_at_start": (1, 2, 3)}, (1, TEST))
    decision = model.advance()
    assert decision is not None
    told = Prompter(task.language).situation(model.state(decision))
    assert told.splitlines() == [
        "Beds 0 of 8, boarding 120.",
        "1: 1, 0 min; cost 8, takes 45",
        "2: 2, 0 min; cost 4, takes 30",
        "3: 3, 0 min; cost 2, takes 10",
    ]
